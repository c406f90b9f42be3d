"""A worker that is killed comes back, and the connections of the other worker live on."""
from harness import run, test, wait_until
from harness.pair import Pair
from harness.process import alive, kill


@test
def one_of_two(scene):
    """kill -9 of one of two workers: its connections end, the others' live on, new ones are served"""
    pair = Pair(scene, workers=2)
    streams = {}
    for number in range(200):  # the kernel spreads connections over workers: until both have some
        stream = pair.connect()
        stream.send(b"hello")
        assert stream.recv_exactly(5) == b"hello"
        opened = pair.b.wait_event("connection.open", count=number + 1)
        streams.setdefault(opened["pid"], []).append(stream)
        if len(streams) == 2 and all(len(s) >= 2 for s in streams.values()):
            break
    assert len(streams) == 2, f"all connections went to one worker: {streams.keys()}"
    victim, survivor = streams
    kill(victim)
    pair.b.wait_event("worker.died")
    for stream in streams[victim]:
        try:
            assert not stream.recv()
        except OSError:
            pass
    for stream in streams[survivor]:
        stream.send(b"still here")
        assert stream.recv_exactly(10) == b"still here"
    wait_until(lambda: len(pair.b.workers()) == 2, "the worker to come back")
    assert not alive(victim)
    for _ in range(20):
        pair.exchange(b"new")


@test
def the_only_one(scene):
    """kill -9 of the only worker: a new one takes over the same listening socket"""
    pair = Pair(scene)
    pair.exchange(b"before")
    victim = pair.b.worker()
    kill(victim)
    pair.b.wait_event("worker.died")
    wait_until(lambda: pair.b.workers() and pair.b.worker() != victim, "the worker to come back")
    pair.exchange(b"after")


@test
def again_and_again(scene):
    """a worker that keeps dying keeps coming back, later each time"""
    pair = Pair(scene)
    for round_number in range(3):
        victim = pair.b.worker()
        kill(victim)
        pair.b.wait_event("worker.died", count=round_number + 1)
        wait_until(lambda: pair.b.workers() and pair.b.worker() != victim, "the worker to come back", 20)
    wait_until(lambda: exchanged(pair), "service after three crashes", 20)


def exchanged(pair) -> bool:
    try:
        pair.exchange(b"after")
        return True
    except (OSError, Exception):
        return False


run()
