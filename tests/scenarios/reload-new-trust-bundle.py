"""The authority is replaced, as operators do it: both are trusted, everybody gets new certificates, the old one goes."""
import os

from harness import Refused, TlsStream, Truncated, channel, client_context, echo, run, test, wait_until
from harness.refusals import CLIENT, SERVER


def read(path):
    with open(path) as file:
        return file.read()


@test
def replaced(scene):
    """each step is taken up without a restart, and the connection from before the change is never touched"""
    old, new = scene.domain("example.org"), scene.domain("example.org")
    server = scene.server(echo)
    where = scene.endpoint()
    own = old.issue(SERVER)
    bundle = scene.write("bundle.pem", read(old.bundle))
    both = scene.write("both.pem", read(old.bundle) + read(new.bundle))
    node = scene.node("node", identities={"server": (own, bundle)}, channels=[channel(
        "c", listen={"listen": where, "protect": "mutual-tls", "identity": "server", "allow": [CLIENT]},
        to={"targets": [server.where], "protect": "none"})])
    clients = {"old": client_context(both, old.issue(CLIENT)), "new": client_context(both, new.issue(CLIENT))}

    def visit(name):
        try:
            with TlsStream.connect(where, clients[name]) as stream:
                stream.send(b"x")
                return stream.recv() == b"x"
        except (Refused, Truncated, OSError):
            return False

    def trust(text):
        """Replaced as a tool does it, and noticed without a signal."""
        reloads = len(node.events("node.reloaded"))
        os.replace(scene.write("next.pem", text), bundle)
        node.wait_event("node.reloaded", count=reloads + 1)
    with TlsStream.connect(where, clients["old"]) as kept:
        def still_there():
            kept.send(b"still")
            assert kept.recv_exactly(5) == b"still"
        assert visit("old") and not visit("new"), "the control: only the old authority is trusted"
        assert node.wait_event("connection.refused")["reason"] == "unknown-authority"
        trust(read(old.bundle) + read(new.bundle))
        assert visit("old") and visit("new")
        still_there()
        fresh = new.issue(SERVER)
        reloads = len(node.events("node.reloaded"))
        os.replace(fresh.key, own.key)
        os.replace(fresh.certificate, own.certificate)
        node.wait_event("node.reloaded", count=reloads + 1)
        only_new = client_context(new.bundle, new.issue(CLIENT))
        with TlsStream.connect(where, only_new) as stream:
            stream.send(b"x")
            assert stream.recv() == b"x", "the node shows its certificate of the new authority"
        trust(read(new.bundle))
        assert visit("new") and not visit("old")
        still_there()
    reloads = len(node.events("node.reloaded"))
    os.replace(scene.write("next.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), bundle)
    node.wait_event("node.reload.failed")
    assert visit("new") and len(node.events("node.reloaded")) == reloads
    wait_until(lambda: not node.events("worker.died"), "no worker to have died", 1)


run()
