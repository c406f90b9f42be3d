"""eject: a target that fails real connections is left out for a while, without any check."""
from harness import run, test, wait_until
from harness.backends import Backends, targets, wait_health


@test
def left_out(scene):
    """after `failures` in a row nobody tries it; when `for` is over it is tried again, and one failure is enough"""
    backends = Backends(scene, 2)
    node = backends.node(eject={"failures": 3, "for": "1500ms"})
    backends.stop(0)
    assert backends.spread(20) == {"b": 20}
    wait_until(lambda: node.events("target.ejected"), "the ejection")
    failed = len(node.events("target.failed"))
    assert failed == 3, f"{failed} clients met the dead target"
    assert node.events("target.ejected")[0]["target"] == backends.wheres[0]
    row = targets(node)[backends.wheres[0]]
    assert row["ejections"] == 1 and row["failures"] == 3, row
    wait_until(lambda: targets(node)[backends.wheres[0]]["health"] == "up", "the time to be over")
    assert backends.spread(4) == {"b": 4}
    assert len(node.events("target.failed")) == failed + 1, "one more try, and not more"
    backends.start(0)
    wait_health(node, backends.wheres[0], "up")
    assert set(backends.spread(10)) == {"a", "b"}


@test
def shared(scene):
    """one worker finds out, the other knows"""
    backends = Backends(scene, 2)
    node = backends.node(workers=2, eject={"failures": 4, "for": "60s"})
    backends.stop(0)
    assert backends.spread(60) == {"b": 60}
    # Each worker may have had one on its way to it when the other ejected it.
    assert 4 <= len(node.events("target.failed")) <= 5, node.events("target.failed")
    assert len(node.events("target.ejected")) == 1


@test
def nobody_left(scene):
    """all ejected: they are tried anyway, and the first that works is back at once"""
    backends = Backends(scene, 2)
    node = backends.node(eject={"failures": 1, "for": "60s"})
    for i in (0, 1):
        backends.stop(i)
    assert backends.ask() == ""
    assert all(row["health"] == "ejected" for row in targets(node).values())
    backends.start(1)
    assert backends.ask() == "b"
    row = targets(node)[backends.wheres[1]]
    assert row["health"] == "up", row


@test
def turned_off(scene):
    """failures = 0: it is tried every time (the control)"""
    backends = Backends(scene, 2)
    node = backends.node(eject={"failures": 0})
    backends.stop(0)
    assert backends.spread(20) == {"b": 20}
    assert len(node.events("target.failed")) == 10 and not node.events("target.ejected")


run()
