"""TLS by libssl itself, for what Python's ssl hides: KeyUpdate (RFC 8446, section 4.6.3)."""
import ctypes
import ctypes.util
import socket

_ssl = ctypes.CDLL(ctypes.util.find_library("ssl") or "libssl.so.3")
_crypto = ctypes.CDLL(ctypes.util.find_library("crypto") or "libcrypto.so.3")
for _name in ("TLS_method", "SSL_CTX_new", "SSL_new"):
    getattr(_ssl, _name).restype = ctypes.c_void_p
_crypto.ERR_error_string.restype = ctypes.c_char_p
_crypto.ERR_get_error.restype = ctypes.c_ulong

NOT_REQUESTED, REQUESTED = 0, 1
_PEM, _CTRL_MODE, _AUTO_RETRY = 1, 33, 4


class Failed(Exception):
    pass


def _checked(result: int, doing: str) -> int:
    if result <= 0:
        text = _crypto.ERR_error_string(_crypto.ERR_get_error(), None).decode()
        raise Failed(f"{doing}: {text}")
    return result


class Connection:
    """TLS over a connected, blocking socket. `credential` is shown; the peer is not verified: that is not its part."""

    def __init__(self, sock: socket.socket, credential=None, server_side=False):
        sock.settimeout(None)
        self.sock = sock
        context = ctypes.c_void_p(_ssl.SSL_CTX_new(ctypes.c_void_p(_ssl.TLS_method())))
        if credential:
            _checked(_ssl.SSL_CTX_use_certificate_chain_file(context, credential.certificate.encode()), "certificate")
            _checked(_ssl.SSL_CTX_use_PrivateKey_file(context, credential.key.encode(), _PEM), "key")
        self._ssl = ctypes.c_void_p(_ssl.SSL_new(context))
        _checked(_ssl.SSL_set_fd(self._ssl, sock.fileno()), "set_fd")
        _checked((_ssl.SSL_accept if server_side else _ssl.SSL_connect)(self._ssl), "handshake")

    def send(self, data: bytes) -> None:
        _checked(_ssl.SSL_write(self._ssl, data, len(data)), "write")

    def recv(self, most: int = 65536) -> bytes:
        """b"" at the end, whichever it is."""
        into = ctypes.create_string_buffer(most)
        count = _ssl.SSL_read(self._ssl, into, most)
        return into.raw[:count] if count > 0 else b""

    def recv_exactly(self, count: int) -> bytes:
        parts = []
        while count:
            data = self.recv(min(count, 65536))
            if not data:
                raise Failed(f"the stream ended {count} bytes early")
            parts.append(data)
            count -= len(data)
        return b"".join(parts)

    def update_keys(self, kind: int) -> None:
        """New keys for what we send; with REQUESTED the peer is to do the same."""
        _checked(_ssl.SSL_key_update(self._ssl, kind), "key_update")
        _checked(_ssl.SSL_do_handshake(self._ssl), "send KeyUpdate")

    def close(self) -> None:
        _ssl.SSL_shutdown(self._ssl)
        self.sock.close()
