"""Process C: sits between two processes, records every byte, and changes what a test tells it to."""
import socket
import threading
import time

from . import net


class Segment:
    def __init__(self, connection, to_server, data):
        self.connection = connection
        self.to_server = to_server
        self.data = data
        self.time = time.time()


class Tap:
    """Listens at `where` and forwards to `target`. `change(to_server, data, sent)` may return other bytes than it got
    (`sent`: how many of that direction went before), or None to cut the connection there and then."""

    def __init__(self, where: str, target: str, change=None):
        self.where = where
        self.target = target
        self.change = change
        self.segments: list[Segment] = []
        self.connections = 0
        self._open: list[socket.socket] = []
        self._lock = threading.Lock()
        family, address = net.split_endpoint(where)
        self._listener = socket.socket(family, socket.SOCK_STREAM)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(address)
        self._listener.listen(256)
        threading.Thread(target=self._accept, daemon=True).start()

    def recorded(self, to_server=None) -> bytes:
        """Every byte that passed, of one direction or both."""
        with self._lock:
            return b"".join(s.data for s in self.segments if to_server is None or s.to_server == to_server)

    def stop(self) -> None:
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        """Ends every connection: FIN both ways, in the middle of whatever it was."""
        with self._lock:
            sockets, self._open = self._open, []
        for sock in sockets:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            try:
                far = net.connect(self.target)
                far.settimeout(None)
            except OSError:
                near.close()
                continue
            near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            number = self.connections
            self.connections += 1
            with self._lock:
                self._open += [near, far]
            threading.Thread(target=self._forward, args=(number, True, near, far), daemon=True).start()
            threading.Thread(target=self._forward, args=(number, False, far, near), daemon=True).start()

    def _forward(self, number, to_server, source, sink) -> None:
        sent = 0
        try:
            while data := source.recv(65536):
                if self.change:
                    changed = self.change(to_server, data, sent)
                    if changed is None:
                        break
                    sent += len(data)
                    data = changed
                with self._lock:
                    self.segments.append(Segment(number, to_server, data))
                sink.sendall(data)
        except OSError:
            pass
        try:
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass


def records(data: bytes) -> list[tuple[int, int, int]]:
    """(content type, offset, whole length) of each TLS record in `data` (RFC 8446, section 5.1)."""
    found, at = [], 0
    while at + 5 <= len(data):
        length = 5 + int.from_bytes(data[at + 3:at + 5], "big")
        found.append((data[at], at, length))
        at += length
    return found
