"""A target's limit of connections holds over all workers; who finds every target full is refused at once, with the reason."""
from harness import run, test, wait_until
from harness.backends import Backends, targets


def limited(backends, limits):
    return [{"address": where, "connections": limit} if limit else where
            for where, limit in zip(backends.wheres, limits)]


@test
def another(scene):
    """the full one is left out, and the others take the rest"""
    backends = Backends(scene, 2)
    backends.node(to={"targets": limited(backends, [3, 0])}, workers=2)
    held = [backends.open() for _ in range(20)]
    served = [backends.answer(stream) for stream in held]
    assert served.count("a") == 3 and served.count("b") == 17, served


@test
def all_full(scene):
    """all full: refused, target-limit; one that leaves makes room for one"""
    backends = Backends(scene, 2)
    node = backends.node(to={"targets": limited(backends, [2, 3])}, workers=2)
    held = [backends.open() for _ in range(5)]
    served = [backends.answer(stream) for stream in held]
    assert sorted(served) == list("aabbb"), served
    assert backends.ask() == ""
    event = node.wait_event("connection.refused")
    assert event["reason"] == "target-limit" and event["side"] == "target", event
    held[served.index("a")].close()
    wait_until(lambda: targets(node)[backends.wheres[0]]["open"] == 1, "the connection to be over")
    with backends.open() as stream:
        assert backends.answer(stream) == "a"
        assert backends.ask() == ""


@test
def a_killed_worker(scene):
    """a worker that is killed takes its share of the count with it"""
    backends = Backends(scene, 1)
    node = backends.node(to={"targets": limited(backends, [2])}, workers=1)
    held = [backends.open() for _ in range(2)]
    assert [backends.answer(stream) for stream in held] == ["a", "a"]
    assert backends.ask() == ""
    import os
    import signal
    os.kill(node.worker(), signal.SIGKILL)
    node.wait_event("worker.started", count=2)
    wait_until(lambda: targets(node)[backends.wheres[0]]["open"] == 0, "the count to be forgotten")
    assert backends.ask() == "a"


run()
