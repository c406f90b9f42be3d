"""A client that comes back resumes its session, whichever worker it meets, and is authorised again."""
from ssl import TLSVersion

from harness import TlsStream, client_context, run, test
from harness.pair import Pair
from harness.refusals import CLIENT, Door


def visit(door, context, session=None):
    stream = TlsStream.connect(door.where, context, session=session)
    stream.send(b"x")
    stream.recv()
    resumed, fresh = stream.resumed, stream.session
    stream.close()
    return resumed, fresh


@test
def second_visit(scene):
    """the second connection is resumed, with TLS 1.3 and with TLS 1.2, and the log has the same client name"""
    for version in (TLSVersion.TLSv1_3, TLSVersion.TLSv1_2):
        door = Door(scene, listen={"minimum_version": "1.2"})
        door.node.wait_for_tickets()
        context = client_context(door.domain.bundle, door.domain.issue(CLIENT), minimum=version, maximum=version)
        resumed, session = visit(door, context)
        assert not resumed
        resumed, _ = visit(door, context, session)
        assert resumed, f"{version}: not resumed"
        first, second = door.node.events("connection.open")
        assert (first["resumed"], second["resumed"]) == (False, True)
        assert first["client"] == second["client"] == CLIENT


@test
def across_workers(scene):
    """a ticket of one worker is honoured by the other: the ticket key comes from the keyholder"""
    pair = Pair(scene, workers=2)
    pair.b.wait_for_tickets()
    context = client_context(pair.domain.bundle, pair.client)

    def visit_pair(session=None):
        stream = TlsStream.connect(pair.inner, context, session=session)
        stream.send(b"x")
        stream.recv()
        count = len(pair.b.events("connection.open"))
        resumed, fresh = stream.resumed, stream.session
        stream.close()
        return resumed, fresh, count
    _, session, _ = visit_pair()
    for _ in range(60):
        resumed, session, _ = visit_pair(session)
        assert resumed, "a ticket was not honoured"
        if len({e["pid"] for e in pair.b.events("connection.open")}) == 2:
            return
    raise AssertionError("all connections went to one worker")


@test
def node_as_client(scene):
    """a node that connects again resumes, and its log and its peer's agree"""
    pair = Pair(scene)
    pair.b.wait_for_tickets()
    for _ in range(3):
        pair.exchange(b"x")
    a, b = pair.a.events("connection.open"), pair.b.events("connection.open")
    assert [e["resumed"] for e in a] == [e["resumed"] for e in b]
    assert not a[0]["resumed"] and a[1]["resumed"] and a[2]["resumed"], a


run()
