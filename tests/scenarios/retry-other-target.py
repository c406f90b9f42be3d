"""A connection that a target does not take is taken to another: as long as no byte was delivered, and three times at most."""
import socket

from harness import PlainStream, answer_with, channel, run, server_context, sink, test
from harness.backends import Backends
from harness.refusals import ANSWER, SERVER, Errand, tls_server


@test
def refused(scene):
    """two dead targets before a live one: every client is served"""
    backends = Backends(scene, 1)
    node = backends.node(to={"targets": [scene.endpoint(), scene.endpoint(), *backends.wheres], "balance": "in-order"})
    assert backends.spread(5) == {"a": 5}
    tried = node.events("target.failed", reason="connect-failed")
    assert len(tried) == 10, tried


@test
def at_most_three(scene):
    """three dead targets before a live one: three are tried, and that is it"""
    backends = Backends(scene, 1)
    dead = [scene.endpoint() for _ in range(3)]
    node = backends.node(to={"targets": [*dead, *backends.wheres], "balance": "in-order"}, eject={"failures": 0})
    assert backends.ask() == ""
    assert node.wait_event("connection.refused")["reason"] == "connect-failed"
    assert len(node.events("target.failed")) == 2 and not backends.servers[0].conversations


@test
def wrong_target(scene):
    """a target that is not who it should be: the next one is asked, and the wrong one gets no byte"""
    domain = scene.domain()
    wrong = scene.server(sink, server_context(domain.issue("spiffe://example.org/somebody-else"), domain.bundle))
    good = tls_server(scene, domain.issue(SERVER), domain.bundle)
    errand = Errand(scene, scene.endpoint(), domain=domain, to={"targets": [wrong.where, good.where], "balance": "in-order"})
    with PlainStream.connect(errand.where) as stream:
        stream.send(b"?")
        assert stream.recv_exactly(len(ANSWER)) == ANSWER
    assert errand.node.wait_event("target.failed")["reason"] == "name-not-allowed"
    assert wrong.application_bytes == 0


@test
def never_after_a_byte(scene):
    """a target that breaks after the first byte: the client is told, and nobody else gets what it said"""
    listener = socket.socket()
    host = scene.endpoint().rpartition(":")[0]
    listener.bind((host, 0))
    listener.listen()
    other = scene.server(answer_with(b"!"))
    where = scene.endpoint()
    node = scene.node("node", channels=[channel(
        "c", listen={"listen": where, "protect": "none"},
        to={"targets": [f"{host}:{listener.getsockname()[1]}", other.where], "protect": "none", "balance": "in-order"})])
    with PlainStream.connect(where) as stream:
        stream.send(b"once")
        sock, _ = listener.accept()
        assert sock.recv(100) == b"once"
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        sock.close()
        try:
            assert not stream.recv()
        except OSError:
            pass
    assert node.wait_event("connection.closed")["how"] == "reset by target"
    assert not other.conversations


run()
