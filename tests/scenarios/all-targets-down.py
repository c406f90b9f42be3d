"""With no target up, clients are turned away at once and the log says what failed; when one comes back, so does service."""
from harness import PlainStream, Server, TlsStream, answer_with, channel, client_context, run, test
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


run()
