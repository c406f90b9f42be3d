"""A client whose certificate expires while its session ticket still lives is not let in with that ticket."""
import datetime
import time

from harness import Refused, TlsStream, Truncated, client_context, run, test, wait_until
from harness.refusals import CLIENT, Door


@test
def ticket_outlives_certificate(scene):
    """resumed while valid; refused as expired afterwards, full or resumed"""
    door = Door(scene)
    door.node.wait_for_tickets()
    ends = time.time() + 4
    credential = door.domain.issue(CLIENT, ends=datetime.timedelta(seconds=4))
    context = client_context(door.domain.bundle, credential)

    def visit(session=None):
        with TlsStream.connect(door.where, context, session=session) as stream:
            stream.send(b"x")
            return stream.recv(), stream.resumed, stream.session
    answer, _, session = visit()
    assert answer
    answer, resumed, session = visit(session)
    assert answer and resumed, "the control: while it is valid the ticket is honoured"
    wait_until(lambda: time.time() > ends + 1, "the certificate to expire", 10)
    for attempt in (session, None):
        before = len(door.node.events("connection.refused"))
        delivered = door.server.application_bytes
        try:
            answer, _, _ = visit(attempt)
        except (Refused, Truncated, OSError):
            answer = b""
        assert not answer, "an expired client was served"
        assert door.server.application_bytes == delivered
        assert door.node.wait_event("connection.refused", count=before + 1)["reason"] == "expired"


run()
