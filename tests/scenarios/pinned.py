"""pinned: a client is always led to the same target, by its name where it proves one, else by its address."""
from harness import TlsStream, channel, client_context, run, test
from harness.backends import Backends, wait_health

SOURCES = [f"127.0.9.{n}" for n in range(1, 61)]


@test
def by_address(scene):
    """the same address, the same target, in every worker; all addresses together use all targets"""
    backends = Backends(scene, 4)
    backends.node(to={"balance": "pinned"}, workers=2)
    first = {source: backends.ask(source) for source in SOURCES}
    for _ in range(3):
        assert {source: backends.ask(source) for source in SOURCES} == first
    assert set(first.values()) == set(backends.names), first


@test
def one_goes_away(scene):
    """a target goes: only its clients move; it comes back: they come back"""
    backends = Backends(scene, 4)
    node = backends.node(to={"balance": "pinned"}, workers=2,
                         health={"check": "tcp", "interval": "100ms", "timeout": "100ms", "fall": 1, "rise": 1})
    before = {source: backends.ask(source) for source in SOURCES}
    backends.stop(1)
    wait_health(node, backends.wheres[1], "down")
    without = {source: backends.ask(source) for source in SOURCES}
    moved = {source for source in SOURCES if without[source] != before[source]}
    assert moved == {source for source in SOURCES if before[source] == "b"} and moved, (before, without)
    assert len({without[source] for source in moved}) > 1, "all of them were dumped on one target"
    backends.start(1)
    wait_health(node, backends.wheres[1], "up")
    assert {source: backends.ask(source) for source in SOURCES} == before


@test
def by_identity(scene):
    """with mutual TLS the client's verified names decide, wherever it connects from"""
    domain = scene.domain()
    backends = Backends(scene, 4)
    where = scene.endpoint()
    scene.node("door", identities={"server": (domain.issue("server.example.org"), domain.bundle)}, workers=2,
               channels=[channel("c", listen={"listen": where, "protect": "mutual-tls", "identity": "server",
                                              "allow": ["spiffe://example.org/**"]},
                                 to={"targets": backends.wheres, "protect": "none", "balance": "pinned"})])
    served = {}
    for n in range(12):
        name = f"spiffe://example.org/client/{n}"
        for _ in range(3):  # every time another certificate: it is the name that counts
            with TlsStream.connect(where, client_context(domain.bundle, domain.issue(name))) as stream:
                stream.send(b"?")
                served.setdefault(name, set()).add(stream.recv())
    assert all(len(targets) == 1 for targets in served.values()), served
    assert len(set().union(*served.values())) > 1, "one address, and so one target: the names played no part"


run()
