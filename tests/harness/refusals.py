"""What the proofs `refused-*` have in common: a bad peer on one side, a recorder on the other.

A refusal counts only if three things hold: the node says why, in its log; no application byte was delivered to
anybody; and the same with a good peer passes (the control), so the arrangement itself works.
"""
from .node import Node, channel
from .servers import Server, answer_with
from .stream import PlainStream, Refused, TlsStream, Truncated, server_context

QUESTION, ANSWER = b"GET /application-data\r\n", b"HTTP/1.0 200 application data\r\n"
SERVER, CLIENT = "spiffe://example.org/server", "spiffe://example.org/client"


class Door:
    """A node whose `from` is TLS or mutual TLS, in front of a server that answers every byte."""

    def __init__(self, scene, protect="mutual-tls", allow=(CLIENT,), domain=None, credential=None, listen=None,
                 node=None, **options):
        """`node`: more for the Node; `options`: more for its channel."""
        self.scene = scene
        self.domain = domain or scene.domain()
        self.server = scene.server(answer_with(ANSWER))
        self.where = scene.endpoint()
        side = {"listen": self.where, "protect": protect, "identity": "server", **(listen or {})}
        if protect == "mutual-tls":
            side["allow"] = list(allow)
        self.node: Node = scene.node(
            "door", identities={"server": (credential or self.domain.issue(SERVER, "server.example.org"),
                                           self.domain.bundle)},
            channels=[channel("door", listen=side, to={"targets": [self.server.where], "protect": "none"}, **options)],
            **(node or {}))

    def passes(self, context) -> None:
        """The control: with this context a question gets its answer."""
        before = self.server.application_bytes
        opened = len(self.node.events("connection.open"))
        with TlsStream.connect(self.where, context) as stream:
            stream.send(QUESTION)
            answer = stream.recv_exactly(len(ANSWER))
        assert answer == ANSWER, answer
        assert self.server.application_bytes == before + len(QUESTION)
        self.node.wait_event("connection.open", count=opened + 1)

    def refuses(self, context, reason, detail=None) -> dict:
        """A client with this context is turned away for `reason`; returns the log event."""
        def attempt():
            with TlsStream.connect(self.where, context) as stream:
                # In TLS 1.3 a client is done before the server has looked at its certificate: it sends at once.
                stream.send(QUESTION)
                return stream.recv()
        return self.refuses_what(attempt, reason, detail)

    def refuses_what(self, attempt, reason, detail=None, side="client") -> dict:
        """`attempt()` returns the bytes it got; OSError and TLS failures are what it should meet."""
        before = len(self.node.events("connection.refused"))
        delivered = self.server.application_bytes
        opened = len(self.node.events("connection.open"))
        try:
            got = attempt()
        except (Refused, Truncated, OSError):
            got = b""
        assert not got, f"the refused client was given {got!r}"
        event = self.node.wait_event("connection.refused", count=before + 1)
        check_refusal(event, side, reason, detail)
        assert self.server.application_bytes == delivered, "application data of a refused client was delivered"
        assert len(self.node.events("connection.open")) == opened, "the log says that the channel was opened"
        return event


class Errand:
    """A node whose `to` is TLS or mutual TLS: plain client in front, a TLS server of the test's choice behind."""

    def __init__(self, scene, target: str, protect="mutual-tls", expect=(SERVER,), domain=None, credential=None,
                 to=None, **options):
        self.scene = scene
        self.domain = domain or scene.domain()
        self.where = scene.endpoint()
        side = {"targets": [target], "protect": protect, "expect": list(expect), **(to or {})}
        identities = {}
        if protect == "mutual-tls":
            side["identity"] = "client"
            identities["client"] = (credential or self.domain.issue(CLIENT), self.domain.bundle)
        elif protect == "tls":
            side.setdefault("trust", self.domain.bundle)
        self.node: Node = scene.node(
            "errand", identities=identities,
            channels=[channel("errand", listen={"listen": self.where, "protect": "none"}, to=side, **options)])

    def passes(self, server: Server) -> None:
        """The control: the question reaches `server` through the channel, and its answer comes back."""
        before = server.application_bytes
        opened = len(self.node.events("connection.open"))
        with PlainStream.connect(self.where) as stream:
            stream.send(QUESTION)
            answer = stream.recv_exactly(len(ANSWER))
        assert answer == ANSWER, answer
        assert server.application_bytes == before + len(QUESTION)
        self.node.wait_event("connection.open", count=opened + 1)

    def refuses(self, server: Server | None, reason, detail=None) -> dict:
        """The server behind is not trusted for `reason`: nothing reaches it, nothing comes back."""
        before = len(self.node.events("connection.refused"))
        delivered = server.application_bytes if server else 0
        opened = len(self.node.events("connection.open"))
        try:
            with PlainStream.connect(self.where) as stream:
                stream.send(QUESTION)
                got = stream.recv()
        except OSError:
            got = b""
        assert not got, f"the client was given {got!r}"
        event = self.node.wait_event("connection.refused", count=before + 1)
        check_refusal(event, "target", reason, detail)
        if server:
            assert server.application_bytes == delivered, "application data reached a refused server"
        assert len(self.node.events("connection.open")) == opened, "the log says that the channel was opened"
        return event


def check_refusal(event: dict, side: str, reason, detail=None) -> None:
    reasons = (reason,) if isinstance(reason, str) else tuple(reason)
    assert event.get("reason") in reasons, f"refused for {event.get('reason')!r}, not {reasons}: {event}"
    assert event.get("side") == side, event
    assert event.get("detail"), f"no detail: {event}"
    if detail:
        assert detail.lower() in event["detail"].lower(), event


def tls_server(scene, credential, trust=None, **options) -> Server:
    """A TLS server that answers every byte, by another implementation than the node's gateway."""
    return scene.server(answer_with(ANSWER), server_context(credential, trust, **options))


__all__ = ["ANSWER", "CLIENT", "Door", "Errand", "QUESTION", "SERVER", "check_refusal", "tls_server"]
