"""A connection on which nothing happens for the idle timeout is ended; one on which something happens is not."""
import time

from harness import Refused, TlsStream, Truncated, client_context, run, test
from harness.refusals import ANSWER, CLIENT, Door


@test
def reaped(scene):
    """idle for longer than the timeout: closed, and the log says why; traffic keeps the other connection alive"""
    door = Door(scene, timeouts={"idle": "2s"})
    context = client_context(door.domain.bundle, door.domain.issue(CLIENT))
    quiet, busy = TlsStream.connect(door.where, context), TlsStream.connect(door.where, context)

    def say(stream):
        stream.send(b"x")
        assert stream.recv_exactly(len(ANSWER)) == ANSWER
    say(quiet)
    say(busy)
    began = time.monotonic()
    while not door.node.events("connection.closed"):
        say(busy)
        time.sleep(0.05)
        assert time.monotonic() - began < 20, "the quiet connection was never reaped"
    took = time.monotonic() - began
    event = door.node.wait_event("connection.closed")
    assert event["how"] == "idle timeout" and event["bytes_in"] == 1, event
    assert took > 1, "reaped before its time"
    try:
        assert not quiet.recv()
    except (Refused, Truncated):
        pass
    say(busy)


run()
