"""Unchanged programs that channels lead to, in threads: each records whether any application byte reached it."""
import contextlib
import hashlib
import os
import socket
import threading
import time

from . import net
from .stream import PlainStream, Refused, TlsStream, Truncated

RECORDED = 1 << 20  # bytes of each conversation that are kept


class Conversation:
    """What one connection brought. `ended`: "closed", "truncated", "reset", "refused: ...", or None while it runs."""

    def __init__(self):
        self.received = bytearray()
        self.bytes = 0
        self.ended = None
        self.established = False
        self.alpn = None
        self.version = None
        self.resumed = None
        self.peer = None  # the client's certificate, as Python shows it
        self.server_name = None

    def take(self, data: bytes) -> None:
        self.bytes += len(data)
        self.received += data[:max(0, RECORDED - len(self.received))]


class Server:
    """Listens at `where`, TLS if `context` is given, and gives each connection to `behaviour(stream, conversation)`."""

    def __init__(self, where: str, behaviour, context=None, backlog: int = 4096):
        self.where = where
        self.conversations: list[Conversation] = []
        self._behaviour = behaviour
        self._context = context
        self._sockets = set()
        self._lock = threading.Lock()
        self._stopping = False
        family, address = net.split_endpoint(where)
        self._listener = socket.socket(family, socket.SOCK_STREAM)
        if family == socket.AF_UNIX:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(address)
        else:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(address)
        if family == socket.AF_UNIX:
            os.chmod(address, 0o777)  # workers are somebody else
        self._listener.listen(backlog)
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def application_bytes(self) -> int:
        return sum(c.bytes for c in self.conversations)

    @property
    def established(self) -> int:
        return sum(c.established for c in self.conversations)

    def conversation(self, number: int = 0, deadline: float = 10) -> Conversation:
        """The conversation of that number, once it is over."""
        return net.wait_until(
            lambda: len(self.conversations) > number and self.conversations[number].ended
            and self.conversations[number], f"conversation {number} at {self.where} to end", deadline)

    def stop(self) -> None:
        """No longer listens, and drops what is open."""
        self._stopping = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for sock in self._sockets:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                if self._stopping:
                    return
                time.sleep(0.01)  # out of descriptors, say
                continue
            if sock.family != socket.AF_UNIX:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            conversation = Conversation()
            with self._lock:
                self.conversations.append(conversation)
                self._sockets.add(sock)
            threading.Thread(target=self._serve, args=(sock, conversation), daemon=True).start()

    def _serve(self, sock: socket.socket, conversation: Conversation) -> None:
        ended = "closed"
        try:
            if self._context:
                stream = TlsStream(sock, self._context, server_side=True)
                stream.handshake()
                conversation.alpn = stream.tls.selected_alpn_protocol()
                conversation.version = stream.tls.version()
                conversation.resumed = stream.resumed
                conversation.peer = stream.tls.getpeercert()
            else:
                stream = PlainStream(sock)
            conversation.established = True
            self._behaviour(stream, conversation)
            stream.close()
        except Truncated:
            ended = "truncated"
        except Refused as error:
            ended = f"refused: {error}"
        except (ConnectionError, BrokenPipeError):
            ended = "reset"
        except OSError as error:
            ended = f"failed: {error}"
        finally:
            with self._lock:
                self._sockets.discard(sock)
            sock.close()
            conversation.ended = ended


def echo(stream, conversation) -> None:
    while data := stream.recv():
        conversation.take(data)
        stream.send(data)


def sink(stream, conversation) -> None:
    while data := stream.recv():
        conversation.take(data)


def answer_with(answer: bytes):
    """Answers every piece that arrives with `answer`."""
    def behaviour(stream, conversation):
        while data := stream.recv():
            conversation.take(data)
            stream.send(answer)
    return behaviour


def http(body: bytes):
    """Answers each HTTP/1.1 request with `body` and closes."""
    def behaviour(stream, conversation):
        request = b""
        while b"\r\n\r\n" not in request:
            data = stream.recv()
            if not data:
                return
            conversation.take(data)
            request += data
        stream.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: "
                    + str(len(body)).encode() + b"\r\n\r\n" + body)
    return behaviour


def digest_after_eof(stream, conversation) -> None:
    """Reads to the end, then answers with the SHA-256 of it: works only if the return direction outlives the other."""
    digest = hashlib.sha256()
    while data := stream.recv():
        conversation.take(data)
        digest.update(data)
    stream.send(digest.hexdigest().encode())


def flood(total: int, piece: bytes = bytes(65536)):
    """Sends `total` bytes as soon as the first byte arrives, whether or not anybody reads them."""
    def behaviour(stream, conversation):
        conversation.take(stream.recv())
        left = total
        while left > 0:
            stream.send(piece[:left])
            left -= min(left, len(piece))
    return behaviour


def slow_reader(gate: threading.Event):
    """Accepts, and reads nothing until `gate` is set."""
    def behaviour(stream, conversation):
        gate.wait(60)
        while data := stream.recv():
            conversation.take(data)
    return behaviour
