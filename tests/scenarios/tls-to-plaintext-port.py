"""Who speaks TLS to a plaintext port gets no further than its ClientHello: nothing falls back to clear."""
from harness import PlainStream, Refused, TlsStream, answer_with, channel, client_context, run, test
from harness.refusals import Errand, check_refusal

SECRET = b"what must not be said in clear"


def plain_node(scene, behaviour):
    server, where = scene.server(behaviour), scene.endpoint()
    scene.node("plain", channels=[channel("in", listen={"listen": where, "protect": "none"},
                                          to={"targets": [server.where], "protect": "none"})])
    return server, where


@test
def client(scene):
    """a TLS client at a `from` without protection: the server behind sees a ClientHello, the client fails"""
    server, where = plain_node(scene, answer_with(b"HTTP/1.1 400 Bad Request\r\n\r\n"))
    try:
        with TlsStream.connect(where, client_context(verify=False)) as stream:
            stream.send(SECRET)
        raise AssertionError("a handshake succeeded with nobody")
    except (Refused, OSError):
        pass
    seen = bytes(server.conversation().received)
    assert seen[:1] == b"\x16" and SECRET not in seen


@test
def node(scene):
    """a node whose `to` says mutual-tls where the other node speaks in clear: refused, and the client's data stays here"""
    domain = scene.domain()
    for answer in (b"HTTP/1.1 400 Bad Request\r\n\r\n", b"-ERR unknown command\r\n"):
        server, where = plain_node(scene, answer_with(answer))
        errand = Errand(scene, where, domain=domain)
        with PlainStream.connect(errand.where) as stream:
            stream.send(SECRET)
            try:
                assert not stream.recv()
            except ConnectionError:
                pass
        check_refusal(errand.node.wait_event("connection.refused"), "target", "not-tls")
        assert SECRET not in bytes(server.conversation().received)


@test
def echo_port(scene):
    """even a port that sends back every byte is not taken for TLS"""
    def behaviour(stream, conversation):
        while data := stream.recv():
            conversation.take(data)
            stream.send(data)
    server, where = plain_node(scene, behaviour)
    errand = Errand(scene, where)
    with PlainStream.connect(errand.where) as stream:
        stream.send(SECRET)
        try:
            assert not stream.recv()
        except ConnectionError:
            pass
    check_refusal(errand.node.wait_event("connection.refused"), "target", ("protocol-error", "bad-record"))
    assert SECRET not in bytes(server.conversation().received)


run()
