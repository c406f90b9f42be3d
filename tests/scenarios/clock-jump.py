"""The machine's clock jumps: what is open lives on, and validity follows the clock.

Every process of the node gets a clock of its own, moved by this test (harness/clock.py). Needs root.
Control: the same certificate is accepted before the jump and after the clock is back.
"""
import datetime

from harness import Refused, TlsStream, Truncated, channel, client_context, echo, run, test, wait_until
from harness.clock import Clock, Displaced
from harness.refusals import CLIENT, SERVER

HOUR = 3600


@test
def jumps(scene):
    """forwards and back by hours and days: timers do not fire early, tickets and certificates are judged by the new time"""
    clock = Clock(scene)
    domain = scene.domain()
    server = scene.server(echo)
    where = scene.endpoint()
    node = Displaced(scene, "node", clock, workers=1, identities={
        "server": (domain.issue(SERVER, ends=datetime.timedelta(hours=40)), domain.bundle)}, channels=[channel(
            "c", listen={"listen": where, "protect": "mutual-tls", "identity": "server", "allow": [CLIENT]},
            to={"targets": [server.where], "protect": "none"}, timeouts={"idle": "30m"})])
    scene.own(node).start()
    node.wait_for_tickets()
    context = client_context(domain.bundle, domain.issue(CLIENT))

    def visit(session=None):
        with TlsStream.connect(where, context, session=session) as stream:
            stream.send(b"x")
            return stream.recv(), stream.resumed, stream.session

    def refused(reason, session=None):
        before = len(node.events("connection.refused"))
        try:
            answer = visit(session)[0]
        except (Refused, Truncated, OSError):
            answer = b""
        assert not answer
        assert node.wait_event("connection.refused", count=before + 1)["reason"] == reason
    with TlsStream.connect(where, context) as kept:
        def still_there():
            kept.send(b"still")
            assert kept.recv_exactly(5) == b"still"
        answer, _, session = visit()
        assert answer == b"x", "the control: accepted before the jump"
        year = node.wait_event("node.ready")["ts"][:13]
        clock.jump(HOUR // 2)
        still_there()
        assert visit(session)[0] == b"x", "half an hour later, within the client's certificate"
        clock.jump(3 * HOUR)
        still_there()  # later than the idle timeout, by the wall clock alone
        refused("expired")
        refused("expired", session)
        assert node.events("connection.refused")[-1]["ts"][:13] != year, "the log has the new time"
        clock.jump(-6 * HOUR)
        still_there()
        refused("not-yet-valid")
        clock.jump(0)
        still_there()
        wait_until(lambda: _works(visit), "new connections when the clock is right again")
    assert node.events("connection.closed")[-1]["how"] == "closed"
    for event in ("worker.died", "worker.stuck", "keyholder.died", "keyholder.stuck"):
        assert not node.events(event), event


def _works(visit):
    try:
        return visit()[0] == b"x"
    except (Refused, Truncated, OSError):
        return False


run()
