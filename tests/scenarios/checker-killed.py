"""The worker that runs the checks is killed: another takes over, and nothing that was known is forgotten."""
import os
import signal

from harness import run, test, wait_until
from harness.backends import Backends, targets, wait_health

CHECK = {"check": "tcp", "interval": "200ms", "timeout": "200ms", "fall": 1, "rise": 1}


@test
def another_takes_over(scene):
    """whichever worker is killed, a target that goes down is found to be down, and one that comes back up"""
    backends = Backends(scene, 2)
    node = backends.node(workers=2, health=CHECK)
    wait_health(node, backends.wheres[0], "up")
    backends.stop(1)
    wait_health(node, backends.wheres[1], "down")
    for round_ in (1, 2):
        # One of the two holds the lease: the first round kills one, the second the other.
        victim = node.workers()[0]
        os.kill(victim, signal.SIGKILL)
        assert targets_after_death(node)[backends.wheres[1]]["health"] == "down", "forgotten"
        assert backends.ask() == "a"
        node.wait_event("worker.started", count=2 + round_)
        backends.stop(0)
        wait_health(node, backends.wheres[0], "down")
        backends.start(0)
        wait_health(node, backends.wheres[0], "up")


def targets_after_death(node):
    return wait_until(lambda: targets(node), "a worker to report")


@test
def reload(scene):
    """a reload forgets nothing either"""
    backends = Backends(scene, 2)
    node = backends.node(workers=2, health={**CHECK, "interval": "30s"})
    for where in backends.wheres:  # and now not again for a while
        wait_health(node, where, "up")
    backends.stop(1)
    assert backends.spread(12) == {"a": 12}
    before = targets(node)[backends.wheres[1]]
    assert before["ejections"] == 1, before
    assert node.reload()["event"] == "node.reloaded"
    after = targets(node)[backends.wheres[1]]
    assert after["ejections"] == before["ejections"] and after["failures"] == before["failures"], (before, after)
    assert backends.spread(10) == {"a": 10}


run()
