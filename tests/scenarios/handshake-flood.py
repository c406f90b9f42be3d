"""One address floods a channel with connections, thousands of them: a good client goes on being served, and soon.

Kinds of flood: connections that say nothing, that begin a handshake and stay, that begin handshakes as fast as they can, and
that send noise; and all of them at once. Figures are printed; only the success rate is asserted.
"""
from harness import client_context, run, test, wait_until
from harness.crowd import Figures, Flood, Good, client_hello, raise_descriptor_limit
from harness.refusals import ANSWER, QUESTION, Door

ATTEMPTS = 100


class Siege:
    """A door with the default limits, a good client at it, and what a flood needs."""

    def __init__(self, scene, **options):
        raise_descriptor_limit(8000)
        self.scene = scene
        self.door = Door(scene, protect="tls", **options)
        self.context = client_context(self.door.domain.bundle)
        self.hello = scene.write("hello", client_hello(self.context))
        host, _, _ = self.door.where.rpartition(":")
        net = host.rpartition(".")[0]
        self.good = Good(self.door.where, self.context, QUESTION, ANSWER, source=f"{net}.251")
        self.bad = f"{net}.252"
        self.calm = self.good.attempts(ATTEMPTS)
        assert self.calm.rate == 100, self.calm.failures

    def flood(self, kind, hold) -> Flood:
        return Flood(self.scene, self.door.where, kind, hold, "--hello", self.hello, "--source", self.bad)

    def holds_out(self, *floods) -> Figures:
        """The good client's figures while they go on."""
        lines = len(self.door.node.log().splitlines())
        running = [self.flood(kind, hold) for kind, hold in floods]
        wait_until(lambda: self.door.node.status()["channels"][0]["total"] > ATTEMPTS + 100 or
                   self.door.node.status()["channels"][0]["refused"] > 100, "the flood to arrive")
        figures = self.good.attempts(ATTEMPTS)
        lines = len(self.door.node.log().splitlines()) - lines
        print(f"     good client, calm:    {self.calm}")
        print(f"     good client, flooded: {figures}")
        arrived = 0
        for flood in running:
            done = flood.stop()
            arrived += done["connections"]
            print(f"     flood, {flood.kind}: {done['connections']} connections, {done['per_second']} a second, "
                  f"{done['most_open']} at once, {done['ended_by_peer']} ended by us, {done['failed']} failed")
        print(f"     log: {lines} lines for {arrived} connections of the flood")
        assert arrived > 1500, "that was no flood"
        assert figures.rate >= 99, figures.failures[:5]
        assert self.door.node.worker()
        return figures


@test
def silent(scene):
    """connections that say nothing: 3,000 of one address, three times as many as may be half-open"""
    Siege(scene).holds_out(("silent", 3000))


@test
def half_open(scene):
    """handshakes that stop after the ClientHello: 3,000 of one address"""
    Siege(scene).holds_out(("half", 3000))


@test
def handshakes(scene):
    """handshakes as fast as one address can begin them, 500 at a time"""
    Siege(scene).holds_out(("hello", 500))


@test
def garbage(scene):
    """noise instead of a handshake, 1,500 connections at a time"""
    Siege(scene).holds_out(("garbage", 1500))


@test
def everything(scene):
    """all of it at once"""
    Siege(scene).holds_out(("silent", 1500), ("half", 1500), ("hello", 300), ("garbage", 500))


@test
def limited(scene):
    """with source_handshakes_per_second and source_connections the flood is turned away before it costs anything"""
    siege = Siege(scene, limits={"source_connections": 50, "source_handshakes_per_second": 200})
    siege.holds_out(("hello", 300), ("half", 300))
    reasons = {event["reason"] for event in siege.door.node.events("connection.refused")}
    assert reasons & {"source-limit", "source-rate"}, reasons


run()
