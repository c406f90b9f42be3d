"""Channels over IPv4, IPv6 and UNIX sockets, on either side."""
from harness import PlainStream, TlsStream, channel, client_context, echo, run, test
from harness.process import wait_gone
from harness.refusals import CLIENT, SERVER


@test
def ipv6(scene):
    """listening on and connecting to ::1"""
    domain = scene.domain()
    server = scene.server(echo, where=scene.endpoint("::1"))
    where = scene.endpoint("::1")
    node = scene.node("node", identities={"server": (domain.issue(SERVER), domain.bundle)}, channels=[channel(
        "c", listen={"listen": where, "protect": "mutual-tls", "identity": "server", "allow": [CLIENT]},
        to={"targets": [server.where], "protect": "none"})])
    with TlsStream.connect(where, client_context(domain.bundle, domain.issue(CLIENT))) as stream:
        stream.send(b"six")
        assert stream.recv_exactly(3) == b"six"
    assert "[::1]" in node.wait_event("connection.open")["from"]


@test
def unix(scene):
    """listening on a UNIX socket, and a UNIX socket as target"""
    server = scene.server(echo, where="unix:" + scene.path("target.sock"))
    where = "unix:" + scene.path("entry.sock")
    node = scene.node("node", channels=[channel("c", listen={"listen": where, "protect": "none"},
                                                to={"targets": [server.where], "protect": "none"})])
    for _ in range(3):
        with PlainStream.connect(where) as stream:
            stream.send(b"unix")
            assert stream.recv_exactly(4) == b"unix"
    node.wait_event("connection.closed", count=3)


@test
def unix_again(scene):
    """a socket file that a dead node left behind does not keep the next one from starting"""
    server = scene.server(echo)
    where = "unix:" + scene.path("entry.sock")
    channels = [channel("c", listen={"listen": where, "protect": "none"},
                        to={"targets": [server.where], "protect": "none"})]
    first = scene.node("first", channels=channels)
    family = [pid for pid, _ in first.processes()]
    first.child.kill()
    first.wait_exit()
    for pid in family:
        wait_gone(pid)
    scene.node("second", channels=channels)
    with PlainStream.connect(where) as stream:
        stream.send(b"unix")
        assert stream.recv_exactly(4) == b"unix"


run()
