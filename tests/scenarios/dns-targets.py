"""Targets by name: all their addresses, asked for again when their time is over, and never in anybody's way."""
from harness import run, test, wait_until
from harness.backends import Backends, targets
from harness.dns import NameServer
from harness.net import fresh_address


def arrange(scene, count, names, to=None, silent=False, wheres=None, name="app.internal", **options):
    """`count` servers on one port of as many loopback addresses, and a name server that knows `names(hosts)`."""
    a, b, c, d = fresh_address().split(".")
    hosts = wheres or [f"{a}.{b}.{c}.{(int(d) + i) % 256}" for i in range(count)]
    port = scene.endpoint().rpartition(":")[2]
    backends = Backends(scene, count, [f"{host}:{port}" for host in hosts])
    server = scene.own(NameServer())
    server.silent = silent
    server.names.update(names(hosts))
    node = backends.node(to={"targets": [f"{name}:{port}"], "allow_plaintext": True, **(to or {})},
                         settings={"resolver": [server.where]}, **options)
    return backends, server, node, hosts


@test
def several_addresses(scene):
    """a name with two addresses is two targets"""
    backends, server, node, hosts = arrange(scene, 2, lambda hosts: {"app.internal": (hosts, 60)})
    assert backends.spread(20) == {"a": 10, "b": 10}
    rows = targets(node)
    assert set(rows) == set(backends.wheres), rows
    assert all(row["name"].startswith("app.internal:") for row in rows.values())
    assert server.asked("app.internal") == 2, "A and AAAA, once, until the time to live is over"


@test
def moves_without_a_reload(scene):
    """the address changes: when the time to live is over, new connections go there; open ones stay"""
    backends, server, node, hosts = arrange(scene, 2, lambda hosts: {"app.internal": (hosts[:1], 1)}, workers=2)
    held = backends.open()
    assert backends.answer(held) == "a"
    server.names["app.internal"] = (hosts[1:], 1)
    wait_until(lambda: set(backends.spread(6)) == {"b"}, "the connections to move", 20)
    assert backends.answer(held) == "a"
    assert len(node.events("node.reloading")) == 0


@test
def both_families(scene):
    """A and AAAA together"""
    backends = Backends(scene, 2, [scene.endpoint(), scene.endpoint("::1")])
    # One port for both: that of the second.
    port = backends.wheres[1].rpartition(":")[2]
    backends.stop(0)
    backends.wheres[0] = f"{fresh_address()}:{port}"
    backends.start(0)
    server = scene.own(NameServer())
    server.names["app.internal"] = ([fresh_address(), "::1"], 60)
    backends.node(to={"targets": [f"app.internal:{port}"], "allow_plaintext": True}, settings={"resolver": [server.where]})
    assert backends.spread(10) == {"a": 5, "b": 5}


@test
def unknown_at_the_start(scene):
    """a name that nobody knows does not keep the node from starting; when somebody does, it is served"""
    backends, server, node, hosts = arrange(scene, 1, lambda hosts: {})
    assert node.wait_event("dns.failed")["kept_addresses"] == 0
    node.wait_event("channel.all-targets-down")
    assert backends.ask() == ""
    assert node.wait_event("connection.refused")["reason"] == "all-targets-down"
    server.names["app.internal"] = (hosts, 1)
    wait_until(lambda: backends.ask() == "a", "the name to be found", 20)
    node.wait_event("channel.targets-up")


@test
def dead_server(scene):
    """the name server falls silent: the last answer stays, and the log says so"""
    backends, server, node, hosts = arrange(scene, 1, lambda hosts: {"app.internal": (hosts, 1)})
    assert backends.ask() == "a"
    server.silent = True
    event = node.wait_event("dns.failed", deadline=30)
    assert event["kept_addresses"] == 1, event
    assert backends.spread(5) == {"a": 5}
    server.silent = False
    server.names["app.internal"] = (hosts, 60)
    node.wait_event("dns.resolved", count=2, deadline=40)


@test
def localhost(scene):
    """names that end in localhost are this machine, whatever a name server says"""
    backends, server, node, hosts = arrange(scene, 1, lambda hosts: {"db.localhost": (["192.0.2.1"], 60)},
                                            wheres=["127.0.0.1"], name="db.localhost")
    assert backends.spread(5) == {"a": 5}
    assert not server.questions


@test
def blocks_nobody(scene):
    """a name server that answers nothing from the start: other channels of the same worker are served all the while"""
    from harness import PlainStream, answer_with, channel
    other = scene.server(answer_with(b"!"))
    server = scene.own(NameServer())
    server.silent = True
    where, dead = scene.endpoint(), scene.endpoint()
    node = scene.node("node", settings={"resolver": [server.where]}, channels=[
        channel("named", listen={"listen": dead, "protect": "none"}, to={"targets": ["app.internal:80"], "protect": "none",
                                                                          "allow_plaintext": True}),
        channel("other", listen={"listen": where, "protect": "none"}, to={"targets": [other.where], "protect": "none"})])
    for _ in range(20):
        with PlainStream.connect(where) as stream:
            stream.send(b"?")
            assert stream.recv_exactly(1) == b"!"
    assert server.asked("app.internal") > 0
    assert not node.events("dns.failed"), "the questions were over before the connections: this showed nothing"


run()
