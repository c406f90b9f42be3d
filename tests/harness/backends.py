"""Several unchanged servers behind one channel: who served whom, and what the node thinks of them."""
from collections import Counter

from .net import wait_until
from .node import Node, channel
from .servers import Server
from .stream import PlainStream


def _says(name: bytes):
    def behaviour(stream, conversation):
        while data := stream.recv():
            conversation.take(data)
            stream.send(name)
    return behaviour


class Backends:
    """`count` servers; each answers every piece that arrives with its own letter: "a", "b", ..."""

    def __init__(self, scene, count: int, wheres=None):
        self.scene = scene
        self.wheres = wheres or [scene.endpoint() for _ in range(count)]
        self.names = [chr(ord("a") + i) for i in range(count)]
        self.servers: list[Server | None] = [None] * count
        for i in range(count):
            self.start(i)

    def start(self, i: int) -> None:
        self.servers[i] = self.scene.server(_says(self.names[i].encode()), where=self.wheres[i])

    def stop(self, i: int) -> None:
        self.servers[i].stop()
        self.servers[i] = None

    def node(self, name: str = "node", to=None, workers=1, settings=None, listen=None, identities=None, **options) -> Node:
        """A plaintext channel that leads to all of them; `self.where` is where it listens."""
        self.where = self.scene.endpoint()
        return self.scene.node(name, workers=workers, settings=settings, identities=identities, channels=[channel(
            "c", listen={"listen": self.where, "protect": "none", **(listen or {})},
            to={"targets": self.wheres, "protect": "none", **(to or {})}, **options)])

    def ask(self, source: str | None = None) -> str:
        """Which of them serves a new connection: its letter, or "" when the node turns it away."""
        stream = self.open(source)
        with stream:
            return self.answer(stream)

    def open(self, source: str | None = None) -> PlainStream:
        if source is None:
            return PlainStream.connect(self.where)
        import socket
        host, _, port = self.where.rpartition(":")
        sock = socket.create_connection((host, int(port)), 10, (source, 0))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return PlainStream(sock)

    @staticmethod
    def answer(stream) -> str:
        try:
            stream.send(b"?")
            return stream.recv().decode()
        except OSError:
            return ""

    def spread(self, count: int) -> Counter:
        return Counter(self.ask() for _ in range(count))


def targets(node: Node) -> dict[str, dict]:
    """What status says about the targets of the first channel, by address."""
    return {row["address"] or row["name"]: row for row in node.status()["channels"][0]["targets"]}


def wait_health(node: Node, where: str, health: str, deadline: float = 15) -> dict:
    return wait_until(lambda: (row := targets(node).get(where)) and row["health"] == health and row,
                      f"{where} to be {health}: {targets(node)}", deadline, pause=0.05)
