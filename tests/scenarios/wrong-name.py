"""Two nodes trust the same authority, and one of them is not whom the other expects: refused, and both logs say why."""
from harness import run, test
from harness.pair import Pair
from harness.refusals import CLIENT, SERVER


def question_fails(pair) -> None:
    with pair.connect() as stream:
        stream.send(b"question")
        try:
            assert not stream.recv(), "somebody answered"
        except ConnectionError:
            pass
    assert not pair.server.application_bytes, "the question was delivered"


@test
def server(scene):
    """A expects another name than B has: A refuses, before a byte of its client is sent"""
    pair = Pair(scene, a={"expect": ["spiffe://example.org/another"]})
    question_fails(pair)
    event = pair.a.wait_event("connection.refused", side="target")
    assert (event["reason"], SERVER in event["names"]) == ("name-not-allowed", True), event
    told = pair.b.wait_event("connection.refused")
    assert (told["side"], told["reason"]) == ("client", "peer-alert"), told


@test
def client(scene):
    """B allows another name than A has: B refuses, names it, and A hears of it"""
    pair = Pair(scene, b={"allow": ["spiffe://example.org/another"]})
    question_fails(pair)
    event = pair.b.wait_event("connection.refused", side="client")
    assert (event["reason"], CLIENT in event["names"]) == ("name-not-allowed", True), event
    # In TLS 1.3 the client is done before the server has looked at its certificate: A learns it from the alert.
    told = pair.a.wait_event("connection.closed")
    assert told["how"] == "peer-alert from target", told


@test
def control(scene):
    """the same pair with the right names carries the question"""
    Pair(scene).exchange(b"question")


run()
