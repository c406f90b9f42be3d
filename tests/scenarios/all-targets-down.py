"""With no target up, clients are turned away at once and the log says what failed; when one comes back, so does service."""
from harness import PlainStream, Server, TlsStream, answer_with, channel, client_context, run, test
from harness.backends import Backends, targets, wait_health
from harness.refusals import CLIENT, SERVER


@test
def down_and_up(scene):
    """connect-failed names the target; the next client after it is back is served"""
    domain = scene.domain()
    where, target = scene.endpoint(), scene.endpoint()
    node = scene.node("node", identities={"server": (domain.issue(SERVER), domain.bundle)}, channels=[channel(
        "c", listen={"listen": where, "protect": "mutual-tls", "identity": "server", "allow": [CLIENT]},
        to={"targets": [target, scene.endpoint()], "protect": "none"})])
    context = client_context(domain.bundle, domain.issue(CLIENT))
    stream = TlsStream.connect(where, context)
    try:
        assert not stream.recv()
    except Exception:
        pass
    event = node.wait_event("connection.refused")
    assert event["reason"] == "connect-failed" and event["side"] == "target", event
    server: Server = scene.server(answer_with(b"!"), where=target)
    with TlsStream.connect(where, context) as stream:
        stream.send(b"?")
        assert stream.recv_exactly(1) == b"!"
    assert server.established == 1


@test
def unreachable(scene):
    """a target that never answers: connect-timeout"""
    import socket
    # A listening socket whose queue is full: the kernel drops what comes, as a dead host would.
    full = socket.socket()
    full.bind((scene.endpoint().split(":")[0], 0))
    full.listen(0)
    host, port = full.getsockname()
    fillers = []
    for _ in range(4):
        filler = socket.socket()
        filler.setblocking(False)
        filler.connect_ex((host, port))
        fillers.append(filler)
    where = scene.endpoint()
    node = scene.node("node", channels=[channel(
        "c", listen={"listen": where, "protect": "none"}, to={"targets": [f"{host}:{port}"], "protect": "none"},
        timeouts={"connect": "300ms"})])
    with PlainStream.connect(where) as stream:
        try:
            assert not stream.recv()
        except OSError:
            pass
    assert node.wait_event("connection.refused")["reason"] == "connect-timeout"


@test
def known_by_checks(scene):
    """with checks it is a state of its own: said once, refused at once, nobody is bothered; over when one is up"""
    backends = Backends(scene, 2)
    node = backends.node(workers=2, health={"check": "tcp", "interval": "100ms", "timeout": "100ms", "fall": 1, "rise": 1})
    wait_health(node, backends.wheres[0], "up")
    assert not node.events("channel.all-targets-down")
    for i in (0, 1):
        backends.stop(i)
    for where in backends.wheres:
        wait_health(node, where, "down")
    node.wait_event("channel.all-targets-down", channel="c")
    refused = node.status()["channels"][0]["refused"]
    flood = 200
    assert backends.spread(flood) == {"": flood}
    lines = node.events("connection.refused", reason="all-targets-down")
    assert node.status()["channels"][0]["refused"] == refused + flood
    assert 1 <= len(lines) < flood / 4, f"{len(lines)} lines for {flood} connections"
    assert not node.events("target.failed") and not node.events("target.ejected"), "a dead target was tried"
    assert len(node.events("channel.all-targets-down")) == 1
    backends.start(1)
    wait_health(node, backends.wheres[1], "up")
    assert backends.spread(10) == {"b": 10}
    node.wait_event("channel.targets-up", channel="c")
    assert set(targets(node)) == set(backends.wheres)


run()
