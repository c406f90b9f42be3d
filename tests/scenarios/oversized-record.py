"""A record longer than TLS allows (RFC 8446, 5.2: 2^14 + 256) ends its connection, and only that one."""
from harness import PlainStream, Refused, TlsStream, Truncated, client_context, run, test
from harness.pair import Pair

LIMIT = 2 ** 14 + 256


@test
def in_the_middle(scene):
    """after the handshake, one byte too long or as long as the field can say: record_overflow, the next client is served"""
    pair = Pair(scene, tap=False)
    context = client_context(pair.domain.bundle, pair.client)
    worker = pair.b.worker()
    for number, length in enumerate((LIMIT + 1, 0xFFFF)):
        with TlsStream.connect(pair.inner, context) as stream:
            stream.send(b"good")
            assert stream.recv_exactly(4) == b"good"
            try:
                # The gateway need not wait for the end of it.
                stream.send_raw(b"\x17\x03\x03" + length.to_bytes(2, "big") + bytes(length))
                assert not stream.recv()
            except (Refused, Truncated, OSError):
                pass
        event = pair.b.wait_event("connection.closed", count=number + 1)
        assert event["how"] in ("bad-record from client", "protocol-error from client"), event
        assert pair.server.conversation(number).bytes == 4
    assert pair.server.conversation(0).ended == "reset", "the server may have taken what it got for the whole"
    pair.exchange(b"the next")
    assert pair.b.worker() == worker


@test
def in_the_handshake(scene):
    """in place of a ClientHello it is not even TLS"""
    pair = Pair(scene, tap=False)
    with PlainStream.connect(pair.inner) as stream:
        try:
            stream.send(b"\x16\x03\x01\xff\xff" + bytes(0xFFFF))
            stream.recv_all()
        except ConnectionError:
            pass
    assert pair.b.wait_event("connection.refused")["reason"] == "not-tls"
    pair.exchange(b"the next")


@test
def largest_allowed(scene):
    """the control: records as large as they may be"""
    pair = Pair(scene, tap=False)
    with TlsStream.connect(pair.inner, client_context(pair.domain.bundle, pair.client)) as stream:
        for _ in range(20):
            stream.send(bytes(2 ** 14))
            assert stream.recv_exactly(2 ** 14) == bytes(2 ** 14)


run()
