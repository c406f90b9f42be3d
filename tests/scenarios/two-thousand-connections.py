"""2,000 connections at once through A and B, all of them alive."""
import resource

from harness import PlainStream, answer_with, run, test, wait_until
from harness.pair import Pair

COUNT = 2000


@test
def at_once(scene):
    """2,000 connections stay open, each answers, and the status counts them"""
    raise_descriptor_limit()
    pair = Pair(scene, behaviour=answer_with(b"pong"), workers=2)
    # Without the tap: it would need four more descriptors for each.
    streams = []
    for number in range(COUNT):
        stream = PlainStream.connect(pair.entry)
        stream.send(b"ping")
        streams.append(stream)
        if len(streams) % 100 == 0:
            for one in streams[-100:]:
                assert one.recv_exactly(4) == b"pong"
    assert len(pair.a.events("connection.open")) == COUNT
    assert not pair.a.events("connection.closed"), "a connection has ended"
    for stream in streams[::7]:  # every one of them is still alive
        stream.send(b"again")
        assert stream.recv_exactly(4) == b"pong"
    for stream in streams:
        stream.close()
    wait_until(lambda: len(pair.b.events("connection.closed")) == COUNT, "all connections to close", 30)


def raise_descriptor_limit() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    assert hard >= 4 * COUNT + 500, f"this test needs {4 * COUNT + 500} descriptors; the hard limit is {hard}"


run()
