"""slow_start: a target that comes back gets little at first, and its whole share in the end."""
from harness import run, test, wait_until
from harness.backends import Backends, targets, wait_health

CHECK = {"check": "tcp", "interval": "100ms", "timeout": "100ms", "fall": 1, "rise": 1}


@test
def ramp(scene):
    """right after it came back it gets less than its share; when the time is over, all of it"""
    backends = Backends(scene, 2)
    node = backends.node(to={"slow_start": "8s"}, health=CHECK)
    wait_until(lambda: targets(node)[backends.wheres[0]]["share_percent"] == 100, "the first start to be over")
    backends.stop(1)
    wait_health(node, backends.wheres[1], "down")
    backends.start(1)
    back = wait_health(node, backends.wheres[1], "up")
    assert back["share_percent"] < 100, back
    early = backends.spread(40)
    share = targets(node)[backends.wheres[1]]["share_percent"] / 100
    # As much as its share at the end of these would have given it, and what the turns before left it.
    assert early["b"] <= 40 * share / (1 + share) + 2, (early, share)
    wait_until(lambda: targets(node)[backends.wheres[1]]["share_percent"] == 100, "the slow start to be over")
    assert backends.spread(40) == {"a": 20, "b": 20}


@test
def without(scene):
    """the control: without slow_start it gets its share at once"""
    backends = Backends(scene, 2)
    node = backends.node(health=CHECK)
    wait_health(node, backends.wheres[1], "up")
    backends.stop(1)
    wait_health(node, backends.wheres[1], "down")
    backends.start(1)
    wait_health(node, backends.wheres[1], "up")
    spread = backends.spread(40)
    assert abs(spread["b"] - 20) <= 1, spread


run()
