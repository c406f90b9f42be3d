"""Records that are noise, changed, repeated or injected in the middle of a stream end it before they are believed."""
import random

from harness import Refused, TlsStream, Truncated, client_context, run, test
from harness.pair import Pair
from harness.tap import records

NOISE = random.Random(7)  # the same in every run
INJECTED = {
    "noise": NOISE.randbytes(500),
    "a record of noise": b"\x17\x03\x03\x01\x00" + NOISE.randbytes(256),
    "an empty record": b"\x17\x03\x03\x00\x00",
    "a record of an unknown type": b"\x63\x03\x03\x00\x10" + bytes(16),
    "data in clear": b"\x17\x03\x03\x00\x05hello",
    "a close_notify in clear": b"\x15\x03\x03\x00\x02\x01\x00",
    "a fatal alert in clear": b"\x15\x03\x03\x00\x02\x02\x28",
    "a handshake message in clear": b"\x16\x03\x03\x00\x05\x18\x00\x00\x01\x01",  # KeyUpdate
    "two ChangeCipherSpecs": b"\x14\x03\x03\x00\x01\x01" * 2,  # of the compatibility mode: only in the handshake
}


@test
def injected(scene):
    """nine kinds of bytes injected into a stream: each ends it as broken, none as closed, and the worker serves on"""
    pair = Pair(scene, tap=False)
    context = client_context(pair.domain.bundle, pair.client)
    worker = pair.b.worker()
    for number, (what, data) in enumerate(INJECTED.items()):
        stream = TlsStream.connect(pair.inner, context)
        stream.send(b"good")
        assert stream.recv_exactly(4) == b"good", what
        stream.send_raw(data)
        try:
            assert not stream.recv(), what
        except (Refused, Truncated, OSError):
            pass
        stream.sock.close()
        event = pair.b.wait_event("connection.closed", count=number + 1)
        assert event["how"] != "closed" and event["how"].endswith("from client"), f"{what}: {event}"
        heard = pair.server.conversation(number)
        assert heard.bytes == 4 and heard.ended == "reset", f"{what}: {heard.bytes} {heard.ended}"
    pair.exchange(b"the next")
    assert pair.b.worker() == worker


DATA = b"once and once only"
RECORD = 5 + len(DATA) + 1 + 16  # header, data, type, tag (RFC 8446, 5.2)


@test
def repeated(scene):
    """process C sends a record of data a second time: it is not data a second time"""
    done = []

    def twice(to_server, data, sent):
        if to_server and not done and records(data) == [(0x17, 0, RECORD)]:
            done.append(data)
            return data + data
        return data
    pair = Pair(scene, change=twice)
    times = 0
    with pair.connect() as stream:
        try:
            while not done and times < 3:  # a record that travels with the end of the handshake is not repeated
                times += 1
                stream.send(DATA)
                if not stream.recv():
                    break
        except ConnectionError:
            pass
    assert done, "nothing was repeated"
    event = pair.b.wait_event("connection.closed")
    assert event["how"] == "bad-record from client", event
    received = bytes(pair.server.conversation().received)
    assert received in (DATA * (times - 1), DATA * times), (times, received)


run()
