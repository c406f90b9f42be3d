"""A resumed session is authorised again: a client that is no longer on the list, or whose authority is no longer
trusted, does not get back in with an old ticket."""
from harness import TlsStream, channel, client_context, echo, run, test, Refused, Truncated
from harness.refusals import CLIENT, SERVER


class Gate:
    def __init__(self, scene):
        self.domain = scene.domain()
        self.where = scene.endpoint()
        self.server = scene.server(echo)
        self.credential = self.domain.issue(SERVER)
        self.node = scene.node("gate", identities=self.identities(self.domain.bundle), channels=self.channels([CLIENT]))
        self.node.wait_for_tickets()
        self.client = self.domain.issue(CLIENT)
        self.context = client_context(self.domain.bundle, self.client)

    def identities(self, bundle):
        return {"server": (self.credential, bundle)}

    def channels(self, allow):
        return [channel("c", listen={"listen": self.where, "protect": "mutual-tls", "identity": "server", "allow": allow},
                        to={"targets": [self.server.where], "protect": "none"})]

    def visit(self, session=None):
        with TlsStream.connect(self.where, self.context, session=session) as stream:
            stream.send(b"x")
            assert stream.recv_exactly(1) == b"x"
            return stream.resumed, stream.session

    def turned_away(self, session) -> dict:
        delivered = self.server.application_bytes
        try:
            self.visit(session)
            raise SystemError("a client that is no longer allowed was served")
        except (Refused, Truncated, OSError):
            pass
        assert self.server.application_bytes == delivered
        return self.node.wait_event("connection.refused")


@test
def no_longer_allowed(scene):
    """taken off `allow`: refused with its old ticket too; put back on: served"""
    gate = Gate(scene)
    _, session = gate.visit()
    resumed, session = gate.visit(session)
    assert resumed, "the control: without a change the ticket is honoured"
    gate.node.write_config(gate.identities(gate.domain.bundle), gate.channels(["spiffe://example.org/somebody-else"]))
    assert gate.node.reload()["event"] == "node.reloaded"
    assert gate.turned_away(session)["reason"] == "name-not-allowed"
    gate.node.write_config(gate.identities(gate.domain.bundle), gate.channels([CLIENT]))
    assert gate.node.reload()["event"] == "node.reloaded"
    gate.visit()


@test
def no_longer_trusted(scene):
    """authority taken out of the trust bundle: refused with its old ticket too"""
    gate = Gate(scene)
    _, session = gate.visit()
    resumed, session = gate.visit(session)
    assert resumed, "the control: without a change the ticket is honoured"
    gate.node.write_config(gate.identities(scene.domain("other.example").bundle), gate.channels([CLIENT]))
    assert gate.node.reload()["event"] == "node.reloaded"
    assert gate.turned_away(session)["reason"] in ("unknown-authority", "self-signed")


@test
def no_longer_pinned(scene):
    """let in by its key, then only another key is: refused with its old ticket too; pinned again: served"""
    gate = Gate(scene)
    gate.node.write_config(gate.identities(gate.domain.bundle), gate.channels([gate.client.pin]))
    assert gate.node.reload()["event"] == "node.reloaded"
    gate.node.wait_for_tickets()
    _, session = gate.visit()
    resumed, session = gate.visit(session)
    assert resumed, "the control: a session of a pinned key is resumed"
    gate.node.write_config(gate.identities(gate.domain.bundle), gate.channels([gate.domain.issue(CLIENT).pin]))
    assert gate.node.reload()["event"] == "node.reloaded"
    refused = gate.turned_away(session)
    assert refused["reason"] == "name-not-allowed" and refused["pin"] == gate.client.pin, refused
    gate.node.write_config(gate.identities(gate.domain.bundle), gate.channels([gate.client.pin]))
    assert gate.node.reload()["event"] == "node.reloaded"
    gate.visit()


run()
