"""Each direction closes by itself: a client that has said everything still gets its whole answer."""
import hashlib

from harness import TlsStream, client_context, digest_after_eof, run, test
from harness.pair import Pair


@test
def through_two_nodes(scene):
    """the answer comes after the end of the question, through A and B"""
    pair = Pair(scene, behaviour=digest_after_eof)
    question = b"question " * 200_000
    with pair.connect() as stream:
        stream.send(question)
        stream.close_write()
        assert stream.recv_all().decode() == hashlib.sha256(question).hexdigest()
    for node in (pair.a, pair.b):
        assert node.wait_event("connection.closed")["how"] == "closed"


@test
def long_answer(scene):
    """10 MB of answer after the end of the question"""
    total = 10 << 20

    def behaviour(stream, conversation):
        while data := stream.recv():
            conversation.take(data)
        stream.send(bytes(total))
    pair = Pair(scene, behaviour=behaviour)
    with pair.connect() as stream:
        stream.send(b"go")
        stream.close_write()
        assert len(stream.recv_exactly(total)) == total
        assert stream.recv() == b""


@test
def server_first(scene):
    """a server that is done first still hears the rest of its client"""
    heard = []

    def behaviour(stream, conversation):
        stream.send(b"done")
        stream.close_write()
        while data := stream.recv():
            heard.append(data)
    pair = Pair(scene, behaviour=behaviour)
    with pair.connect() as stream:
        assert stream.recv_all() == b"done"
        stream.send(b"still talking")
        stream.close_write()
        pair.server.conversation()
    assert b"".join(heard) == b"still talking"


@test
def tls_client(scene):
    """close_notify of a TLS client ends its direction only (RFC 8446, section 6.1)"""
    pair = Pair(scene, behaviour=digest_after_eof)
    with TlsStream.connect(pair.inner, client_context(pair.domain.bundle, pair.client)) as stream:
        stream.send(b"x")
        stream.close_write()
        assert stream.recv_all().decode() == hashlib.sha256(b"x").hexdigest()


run()
