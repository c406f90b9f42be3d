"""The log is one JSON object a line, whatever a peer sends: names and greetings cannot add fields or lines."""
import json

from harness import PlainStream, client_context, run, test
from harness.refusals import CLIENT, Door


@test
def hostile_names(scene):
    """a certificate whose names hold quotes, newlines and escapes, and a client that sends such bytes"""
    door = Door(scene)
    hostile = 'spiffe://example.org/a","event":"node.ready","x":"'
    credential = door.domain.issue(hostile, "evil\n{}.example.org", common_name='CN"\n{"event":"node.stopped"}')
    door.refuses(client_context(door.domain.bundle, credential), ("name-not-allowed", "certificate-invalid"))

    def attempt():
        with PlainStream.connect(door.where) as stream:
            stream.send(b'"}\n{"event":"forged","level":"info"}\n\x1b[2J\xff\xfe' * 10)
            data = stream.recv_all()
        return b"" if data[:1] == b"\x15" else data
    door.refuses_what(attempt, "not-tls")
    door.passes(client_context(door.domain.bundle, door.domain.issue(CLIENT)))
    assert not door.node.noise(), door.node.noise()
    assert not door.node.events("forged")
    assert len(door.node.events("node.ready")) == 1
    for event in door.node.events():
        assert {"ts", "level", "event", "process", "pid"} <= event.keys(), event
        assert len(json.dumps(event)) < 8192


@test
def who_was_there(scene):
    """open and closed name the channel, both ends, what was agreed and what went through"""
    door = Door(scene)
    door.passes(client_context(door.domain.bundle, door.domain.issue(CLIENT)))
    opened, closed = door.node.wait_event("connection.open"), door.node.wait_event("connection.closed")
    assert opened["channel"] == closed["channel"] == "door"
    assert opened["client"] == closed["client"] == CLIENT
    assert opened["protocol"] == "TLSv1.3" and opened["to"] == door.server.where, opened
    assert opened["group"].lower() in ("x25519", "x25519mlkem768", "secp256r1", "prime256v1"), opened
    assert opened["cipher"].startswith("TLS_"), opened
    assert closed["bytes_in"] and closed["bytes_out"] and closed["how"] == "closed", closed


run()
