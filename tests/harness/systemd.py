"""Plays the service manager: takes notices (sd_notify) and passes sockets (sd_listen_fds)."""
import socket
import threading

from . import net
from .node import Node


class Notices:
    """A NOTIFY_SOCKET. `seen` is every message so far, each as a dictionary of its lines."""

    def __init__(self, path: str):
        self.path = path
        self.seen: list[dict[str, str]] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(path)
        threading.Thread(target=self._read, daemon=True).start()

    def stop(self) -> None:
        self._socket.close()

    def wait(self, key: str, value: str | None = None, since: int = 0, deadline: float = 15) -> dict[str, str]:
        """The first message from number `since` on that has this line."""
        def found():
            return next((m for m in self.seen[since:] if key in m and value in (None, m[key])), None)
        return net.wait_until(found, f"the notice {key}={value}; there were {self.seen[-10:]}", deadline)

    def count(self, key: str) -> int:
        return sum(key in message for message in self.seen)

    def _read(self) -> None:
        while True:
            try:
                data = self._socket.recv(4096)
            except OSError:
                return
            if data:
                self.seen.append(dict(line.split("=", 1) for line in data.decode().splitlines() if "=" in line))


# Becomes the program, with the sockets from descriptor 3 on, as systemd does between fork and exec.
_PASS_SOCKETS = """
import os, sys
given = [int(number) for number in sys.argv[1].split(",")]
high = [os.dup2(number, 500 + i, inheritable=False) for i, number in enumerate(given)]
for number in given:
    os.close(number)
for i, number in enumerate(high):
    os.dup2(number, 3 + i)
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.argv[2], sys.argv[2:])
"""


class ServedNode(Node):
    """A node as a service manager starts it: `sockets` is {name: listening socket}."""

    def __init__(self, scene, name, sockets=None, **options):
        super().__init__(scene, name, **options)
        self._sockets = sockets or {}
        if self._sockets:
            self._env |= {"LISTEN_FDS": str(len(self._sockets)), "LISTEN_FDNAMES": ":".join(self._sockets)}
            self._popen = {"pass_fds": [sock.fileno() for sock in self._sockets.values()]}

    def command(self) -> list[str]:
        if not self._sockets:
            return super().command()
        numbers = ",".join(str(sock.fileno()) for sock in self._sockets.values())
        return ["/usr/bin/python3", "-c", _PASS_SOCKETS, numbers, *super().command()]
