"""check = "tcp": a target that accepts no connection is down, before any client finds out; one that does again is up."""
import socket

from harness import run, test
from harness.backends import Backends, targets, wait_health

CHECK = {"check": "tcp", "interval": "100ms", "timeout": "100ms"}


@test
def rise_and_fall(scene):
    """down after `fall` failures, up after `rise` passes; the log says so once, with the reason"""
    backends = Backends(scene, 2)
    node = backends.node(workers=2, health={**CHECK, "fall": 3, "rise": 4})
    up = wait_health(node, backends.wheres[0], "up")
    assert up["check_us"] > 0, up
    assert not node.events("target.up"), "nobody had been down"
    backends.stop(0)
    wait_health(node, backends.wheres[0], "down")
    down = node.events("target.down")
    assert len(down) == 1 and down[0]["target"] == backends.wheres[0], down
    assert down[0]["reason"] == "connect-failed" and down[0]["check"] == "tcp", down
    assert backends.spread(10) == {"b": 10}
    assert not node.events("target.failed"), "a client was sent to a target that is down"
    backends.start(0)
    wait_health(node, backends.wheres[0], "up")
    assert len(node.events("target.up", target=backends.wheres[0])) == 1
    assert set(backends.spread(10)) == {"a", "b"}


@test
def one_failure_is_none(scene):
    """fewer failures than `fall` change nothing"""
    backends = Backends(scene, 1)
    node = backends.node(health={**CHECK, "fall": 1000})
    wait_health(node, backends.wheres[0], "up")
    before = len(backends.servers[0].conversations)
    backends.stop(0)
    backends.start(0)
    from harness import wait_until
    wait_until(lambda: len(backends.servers[0].conversations) > 3, f"checks to go on ({before})")
    assert targets(node)[backends.wheres[0]]["health"] == "up"
    assert not node.events("target.down")


@test
def silent_host(scene):
    """a host that answers nothing, as a dead one does: timeout"""
    full = socket.socket()
    full.bind((scene.endpoint().split(":")[0], 0))
    full.listen(0)
    host, port = full.getsockname()
    fillers = []
    for _ in range(4):
        filler = socket.socket()
        filler.setblocking(False)
        filler.connect_ex((host, port))
        fillers.append(filler)
    backends = Backends(scene, 1)
    node = backends.node(to={"targets": [f"{host}:{port}", *backends.wheres]}, health=CHECK)
    assert node.wait_event("target.down")["reason"] == "timeout"
    assert backends.spread(5) == {"a": 5}


run()
