"""Who speaks in clear to a TLS port is told so at once, and the log says what it was; proof.refused-plaintext has more cases."""
from harness import PlainStream, channel, run, test
from harness.pair import Pair
from harness.refusals import check_refusal


@test
def client(scene):
    """a client in clear at the port of node B: refused before B has looked for a target"""
    pair = Pair(scene, tap=False)
    with PlainStream.connect(pair.inner) as stream:
        stream.send(b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n")
        answer = stream.recv_all()
    assert answer[:1] == b"\x15" or not answer, answer  # at most an alert
    check_refusal(pair.b.wait_event("connection.refused"), "client", "not-tls", "an HTTP request")
    assert not pair.server.conversations, "somebody was connected"
    pair.exchange(b"the control")


@test
def node(scene):
    """a node whose `to` says `none` where the other node speaks mutual TLS"""
    pair = Pair(scene, tap=False)
    where = scene.endpoint()
    scene.node("wrong", channels=[channel("out", listen={"listen": where, "protect": "none"},
                                          to={"targets": [pair.inner], "protect": "none"})])
    with PlainStream.connect(where) as stream:
        stream.send(b"GET / HTTP/1.1\r\n\r\n")
        try:
            answer = stream.recv_all()
        except ConnectionError:
            answer = b""
    assert answer[:1] == b"\x15" or not answer, answer
    check_refusal(pair.b.wait_event("connection.refused"), "client", "not-tls")
    assert not pair.server.conversations


run()
