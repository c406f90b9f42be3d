"""TERM under load: no new connections, those that run may end, and then the node ends with 0; those that stay are cut."""
import signal

from harness import run, test, wait_until
from harness.net import listening
from harness.pair import Pair


@test
def ends_in_peace(scene):
    """connections under way end by themselves, then the node exits 0"""
    pair = Pair(scene)
    stream = pair.connect()
    stream.send(b"x" * 1000)
    assert len(stream.recv_exactly(1000)) == 1000
    for node in (pair.b, pair.a):
        node.signal(signal.SIGTERM)
        node.wait_event("node.stopping")
    wait_until(lambda: not listening(pair.entry), "the node to stop listening")
    stream.send(b"y" * 1_000_000)
    assert stream.recv_exactly(1_000_000) == b"y" * 1_000_000
    stream.close()
    for node in (pair.a, pair.b):
        assert node.wait_exit() == 0
        assert node.events("node.stopped")


@test
def limit(scene):
    """a connection that stays longer than the drain timeout is cut, and the node exits 1"""
    pair = Pair(scene, timeouts={"drain": "500ms"})
    stream = pair.connect()
    stream.send(b"x")
    assert stream.recv_exactly(1) == b"x"
    pair.a.signal(signal.SIGTERM)
    assert pair.a.wait_exit() == 1
    assert pair.a.wait_event("connection.closed")["how"] == "drain timeout"
    try:
        assert not stream.recv()
    except OSError:
        pass


@test
def idle(scene):
    """TERM and INT of a node with nothing to do: exit 0 at once"""
    for number in (signal.SIGTERM, signal.SIGINT):
        pair = Pair(scene)
        pair.a.signal(number)
        assert pair.a.wait_exit() == 0
        assert not pair.a.processes()


run()
