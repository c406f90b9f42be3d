"""Process C takes TLS 1.3 out of a ClientHello: both nodes could do 1.2, and the channel is refused all the same.

proof.refused-old-versions shows that nobody can have less than what a channel asks for.
"""
from harness import run, test
from harness.pair import Pair

SUPPORTED_VERSIONS = bytes.fromhex("002b0005040304")  # the extension of a client that has 1.3 and 1.2 (RFC 8446, 4.2.1)
UNKNOWN = bytes.fromhex("7a7a0005040304")


def without_tls13(to_server: bool, data: bytes, sent: int) -> bytes:
    return data.replace(SUPPORTED_VERSIONS, UNKNOWN, 1) if to_server and sent == 0 else data


@test
def by_process_c(scene):
    """the server falls for it and says so in its random (RFC 8446, 4.1.3): A ends it, and nothing was said"""
    both = {"minimum_version": "1.2"}
    pair = Pair(scene, a=both, b=both, change=without_tls13)
    with pair.connect() as stream:
        stream.send(b"question")
        try:
            assert not stream.recv()
        except ConnectionError:
            pass
    assert UNKNOWN not in pair.tap.recorded(False) and UNKNOWN in pair.tap.recorded(True), "C changed nothing"
    assert b"\x44\x4f\x57\x4e\x47\x52\x44\x01" in pair.tap.recorded(False), "B did not speak TLS 1.2"
    event = pair.a.wait_event("connection.refused", side="target")
    assert event["reason"] in ("protocol-error", "protocol-version"), event
    assert not pair.server.application_bytes and not pair.a.events("connection.open")


@test
def control(scene):
    """the same pair, left alone, speaks TLS 1.3"""
    both = {"minimum_version": "1.2"}
    pair = Pair(scene, a=both, b=both)
    pair.exchange(b"question")
    assert SUPPORTED_VERSIONS in pair.tap.recorded(True), "the extension is written otherwise than this test believes"
    assert pair.a.wait_event("connection.open")["protocol"] == "TLSv1.3"


run()
