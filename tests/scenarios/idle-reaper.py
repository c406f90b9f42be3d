"""A connection on which nothing happens for the idle timeout is ended; one on which something happens is not."""
import time

from harness import run, test
from harness.pair import Pair


@test
def reaped(scene):
    """idle for longer than the timeout: closed, and the log says why"""
    pair = Pair(scene, timeouts={"idle": "1s"})
    quiet, busy = pair.connect(), pair.connect()
    for stream in (quiet, busy):
        stream.send(b"x")
        assert stream.recv_exactly(1) == b"x"
    ended = 0.0
    began = time.monotonic()
    while not pair.a.events("connection.closed"):  # traffic in one direction or both keeps the busy one alive
        busy.send(b"x")
        assert busy.recv_exactly(1) == b"x"
        time.sleep(0.05)
        assert time.monotonic() - began < 15, "the quiet connection was never reaped"
    ended = time.monotonic() - began
    event = pair.a.wait_event("connection.closed")
    assert event["how"] == "idle timeout", event
    assert ended > 0.5, "reaped before its time"
    try:
        assert not quiet.recv()
    except OSError:
        pass
    busy.send(b"x")
    assert busy.recv_exactly(1) == b"x"


run()
