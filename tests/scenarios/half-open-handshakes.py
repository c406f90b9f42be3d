"""500 clients that start a handshake and never finish it do not keep the 501st, a good one, out."""
from harness import PlainStream, TlsStream, client_context, run, test
from harness.refusals import CLIENT, Door


def client_hello(context) -> bytes:
    """The first bytes of a handshake that is never continued."""
    import ssl
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing)
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


@test
def silent(scene):
    """250 that say nothing and 250 that stop after their ClientHello"""
    door = Door(scene, timeouts={"handshake": "60s"}, limits={"handshakes": 600})
    context = client_context(door.domain.bundle, door.domain.issue(CLIENT))
    hello = client_hello(context)
    half_open = []
    for number in range(500):
        stream = PlainStream.connect(door.where)
        if number % 2:
            stream.send(hello)
        half_open.append(stream)
    door.passes(context)
    assert door.node.worker()


@test
def at_the_limit(scene):
    """beyond the limit of handshakes under way the oldest makes room, with the reason `limit`: a good client gets in"""
    door = Door(scene, timeouts={"handshake": "60s"}, limits={"handshakes": 20})
    context = client_context(door.domain.bundle, door.domain.issue(CLIENT))
    half_open = [PlainStream.connect(door.where) for _ in range(30)]
    door.node.wait_event("connection.refused", count=10, reason="limit", side="client")
    door.passes(context)
    assert len(door.node.events("connection.refused", reason="limit")) == 11
    for stream in half_open[:10]:
        assert not stream.recv(), "an evicted client was given something"


@test
def connections(scene):
    """beyond the limit of connections a client is turned away; when one leaves, the next is served"""
    door = Door(scene, limits={"connections": 5})
    context = client_context(door.domain.bundle, door.domain.issue(CLIENT))
    streams = []
    for _ in range(5):
        streams.append(TlsStream.connect(door.where, context))
        streams[-1].send(b"x")
        streams[-1].recv()

    def attempt():
        with TlsStream.connect(door.where, context) as stream:
            return stream.recv()
    door.refuses_what(attempt, "limit")
    streams.pop().close()
    door.node.wait_event("connection.closed")
    door.passes(context)


@test
def slow_ones_end(scene):
    """a handshake that takes longer than its timeout is ended, with the reason handshake-timeout"""
    door = Door(scene, timeouts={"handshake": "300ms"})
    context = client_context(door.domain.bundle, door.domain.issue(CLIENT))
    for first in (b"", client_hello(context)):
        def attempt(sent=first):
            with PlainStream.connect(door.where) as stream:
                stream.send(sent)
                data = stream.recv()
                while data and sent:  # the server's half of the handshake is no application data
                    data = stream.recv()
                return data
        door.refuses_what(attempt, "handshake-timeout")
    door.passes(context)


run()
