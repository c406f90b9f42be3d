"""Several targets are tried in turn: a dead one costs a client nothing but time."""
from harness import PlainStream, answer_with, channel, run, test
from harness.refusals import ANSWER, SERVER, Errand, tls_server


@test
def plain(scene):
    """the first of three targets is down: every client is served by the others"""
    second, third = scene.server(answer_with(b"2")), scene.server(answer_with(b"3"))
    where = scene.endpoint()
    node = scene.node("node", channels=[channel(
        "c", listen={"listen": where, "protect": "none"},
        to={"targets": [scene.endpoint(), second.where, third.where], "protect": "none"})])
    for _ in range(20):
        with PlainStream.connect(where) as stream:
            stream.send(b"?")
            assert stream.recv_exactly(1) in (b"2", b"3")
    second.stop()
    for _ in range(20):
        with PlainStream.connect(where) as stream:
            stream.send(b"?")
            assert stream.recv_exactly(1) == b"3"
    assert not node.events("worker.died")


@test
def behind_tls(scene):
    """the same with mutual TLS to the targets"""
    domain = scene.domain()
    good = tls_server(scene, domain.issue(SERVER), domain.bundle)
    errand = Errand(scene, scene.endpoint(), domain=domain, to={"targets": [scene.endpoint(), good.where]})
    for _ in range(5):
        with PlainStream.connect(errand.where) as stream:
            stream.send(b"?")
            assert stream.recv_exactly(len(ANSWER)) == ANSWER


run()
