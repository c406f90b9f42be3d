"""TLS and plain streams for tests that must see what ordinary clients hide: which side closed, and how.

A TlsStream runs Python's TLS over memory, so a test can close one direction, drop the connection without
close_notify, or look at raw records.
"""
import socket
import ssl

from . import net


class Refused(Exception):
    """The handshake failed, or the peer ended the connection with an alert."""


class Truncated(Exception):
    """The connection ended without close_notify: what was received may not be all that was sent."""


def client_context(trust=None, credential=None, alpn=(), minimum=ssl.TLSVersion.TLSv1_2, maximum=None, ciphers=None,
                   verify=True) -> ssl.SSLContext:
    """`trust`: path of a bundle. With `verify=False` the client takes whatever it gets, as an attacker would."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    if not verify:
        context.verify_mode = ssl.CERT_NONE
    if trust:
        context.load_verify_locations(trust)
    return _configured(context, credential, alpn, minimum, maximum, ciphers)


def server_context(credential, trust=None, alpn=(), minimum=ssl.TLSVersion.TLSv1_2, maximum=None,
                   ciphers=None) -> ssl.SSLContext:
    """With `trust` (path of a bundle) it asks for a client certificate and insists."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if trust:
        context.load_verify_locations(trust)
        context.verify_mode = ssl.CERT_REQUIRED
    return _configured(context, credential, alpn, minimum, maximum, ciphers)


def _configured(context, credential, alpn, minimum, maximum, ciphers):
    if credential:
        context.load_cert_chain(credential.certificate, credential.key)
    if alpn:
        context.set_alpn_protocols(list(alpn))
    if ciphers:
        context.set_ciphers(ciphers)
    context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF  # Python's default would hide a truncation
    context.minimum_version = minimum
    if maximum:
        context.maximum_version = maximum
    return context


class PlainStream:
    """The same calls as TlsStream, over bare TCP or a UNIX socket."""

    def __init__(self, sock: socket.socket):
        self.sock = sock

    @classmethod
    def connect(cls, where: str, timeout: float = 10) -> "PlainStream":
        return cls(net.connect(where, timeout))

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def recv(self, most: int = 65536) -> bytes:
        return self.sock.recv(most)

    def recv_exactly(self, count: int) -> bytes:
        return recv_exactly(self, count)

    def recv_all(self) -> bytes:
        return b"".join(iter(self.recv, b""))

    def close_write(self) -> None:
        self.sock.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self.sock.close()

    abort = close

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class TlsStream:
    """One TLS connection, either role. After the handshake `tls` is Python's SSLObject."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext, server_side=False, server_name=None, session=None):
        self.sock = sock
        self._in = ssl.MemoryBIO()
        self._out = ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._in, self._out, server_side=server_side, server_hostname=server_name,
                                    session=session)

    @classmethod
    def connect(cls, where: str, context: ssl.SSLContext, server_name=None, session=None, timeout: float = 10):
        stream = cls(net.connect(where, timeout), context, server_name=server_name, session=session)
        try:
            stream.handshake()
        except BaseException:
            stream.sock.close()
            raise
        return stream

    def client_hello(self) -> bytes:
        """The first bytes of a client, which the caller sends; `handshake` goes on from there."""
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            pass
        return self._out.read()

    def handshake(self) -> None:
        try:
            self._drive(self.tls.do_handshake)
        except (ssl.SSLError, ConnectionError) as error:
            raise Refused(str(error)) from error

    def send(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[self._drive(lambda: self.tls.write(view[:65536])):]

    def recv(self, most: int = 65536) -> bytes:
        """b"" after close_notify; Truncated when there was none; Refused on an alert."""
        try:
            return self._drive(lambda: self.tls.read(most))
        except ssl.SSLZeroReturnError:
            return b""
        except (ssl.SSLEOFError, ConnectionError) as error:
            raise Truncated(str(error)) from error
        except ssl.SSLError as error:
            if error.reason == "UNEXPECTED_EOF_WHILE_READING":
                raise Truncated(str(error)) from error
            raise Refused(str(error)) from error

    def recv_exactly(self, count: int) -> bytes:
        return recv_exactly(self, count)

    def recv_all(self) -> bytes:
        return b"".join(iter(self.recv, b""))

    def close_write(self) -> None:
        """Sends close_notify and goes on reading: half-close (RFC 8446, section 6.1)."""
        try:
            self.tls.unwrap()
        except (ssl.SSLWantReadError, ssl.SSLError):
            pass
        self._flush()

    def close(self) -> None:
        try:
            self.close_write()
        except OSError:
            pass
        self.sock.close()

    def abort(self) -> None:
        """Ends the TCP connection without close_notify."""
        self.sock.close()

    def abort_write(self) -> None:
        """FIN without close_notify, and still reading."""
        self.sock.shutdown(socket.SHUT_WR)

    def send_raw(self, data: bytes) -> None:
        """Bytes past TLS, as process C would inject them."""
        self.sock.sendall(data)

    @property
    def session(self):
        return self.tls.session

    @property
    def resumed(self) -> bool:
        return bool(self.tls.session_reused)

    def _flush(self) -> None:
        data = self._out.read()
        if data:
            self.sock.sendall(data)

    def _drive(self, step):
        while True:
            try:
                result = step()
                self._flush()
                return result
            except ssl.SSLWantReadError:
                self._flush()
                data = self.sock.recv(65536)
                if data:
                    self._in.write(data)
                else:
                    self._in.write_eof()
            except ssl.SSLError:
                try:
                    self._flush()  # the alert that says why
                except OSError:
                    pass
                raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def recv_exactly(stream, count: int) -> bytes:
    parts = []
    while count > 0:
        data = stream.recv(min(count, 1 << 18))
        if not data:
            raise Truncated(f"the stream ended {count} bytes early")
        parts.append(data)
        count -= len(data)
    return b"".join(parts)
