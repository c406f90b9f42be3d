"""Ticket keys are made for an hour: tickets outlive the turn of the hour, and not the hour after it; two workers agree.

The node's clock is moved by the test (harness/clock.py), which needs root.
"""
import datetime
import time

from harness import TlsStream, channel, client_context, echo, run, test, wait_until
from harness.clock import Clock, Displaced
from harness.refusals import SERVER

HOUR = 3600


def to_the_hour(seconds: int) -> int:
    """How far the clock must be moved for the next epoch to begin in so many seconds."""
    return HOUR - int(time.time()) % HOUR - seconds


@test
def rollover(scene):
    """a ticket is honoured after the turn of the hour, and two hours later no more: then its holder is let in without it"""
    clock = Clock(scene)
    clock.jump(to_the_hour(HOUR // 2))
    domain, where = scene.domain(), scene.endpoint()
    server = scene.server(echo)
    node = scene.own(Displaced(scene, "node", clock, workers=2, identities={
        "server": (domain.issue(SERVER, ends=datetime.timedelta(hours=40)), domain.bundle)}, channels=[channel(
            "c", listen={"listen": where, "protect": "tls", "identity": "server"},
            to={"targets": [server.where], "protect": "none"})]))
    node.start()
    node.wait_for_tickets()
    context = client_context(domain.bundle)

    def visit(session=None):
        with TlsStream.connect(where, context, session=session) as stream:
            stream.send(b"x")
            assert stream.recv() == b"x"
            return stream.resumed, stream.session

    def epochs() -> set[str]:
        """Rows of the exposure table, which name the epochs whose keys are held."""
        return {row["key"] for row in node.status()["exposure"] if row["key"].startswith("ticket key")}
    _, first = visit()
    resumed, _ = visit(first)
    assert resumed, "the control: resumed within the epoch"
    before = epochs()
    clock.jump(to_the_hour(-60))
    resumed, _ = visit(first)
    assert resumed, "a ticket of the epoch before is not accepted"
    clock.jump(to_the_hour(-60) + 2 * HOUR)
    wait_until(lambda: not epochs() & before, "the keys of old epochs to be forgotten", 45, pause=0.2)
    resumed, third = visit(first)
    assert not resumed, "a ticket of three hours ago was accepted"
    resumed, _ = visit(third)
    assert resumed, "the new epoch's tickets are not accepted"
    assert {e["event"] for e in node.events()} & {"worker.died", "keyholder.died"} == set()


run()
