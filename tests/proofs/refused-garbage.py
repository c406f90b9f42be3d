"""Bytes that only look like TLS are refused, before and after the ClientHello, and the next good client is served.

Control: that next client, after each of them.
"""
import random

from harness import PlainStream, client_context, run, test
from harness.refusals import CLIENT, Door


def record(kind: int, payload: bytes, version=0x0301, length=None) -> bytes:
    return bytes([kind]) + version.to_bytes(2, "big") + (len(payload) if length is None else length).to_bytes(2, "big") \
        + payload


def cases():
    noise = random.Random(1)  # the same bytes in every run
    yield "random bytes", noise.randbytes(4096), ("not-tls",)
    hello = ("protocol-error", "bad-record", "not-tls", "protocol-version", "no-shared-cipher")
    yield "a handshake record of noise", record(22, noise.randbytes(512)), hello
    yield "a ClientHello of noise", record(22, b"\x01\x00\x01\xfc" + noise.randbytes(508)), hello
    yield "a ClientHello with a length that lies", record(22, b"\x01\xff\xff\xff" + noise.randbytes(508)), hello
    yield "a record longer than TLS allows", record(22, noise.randbytes(200), length=0xFFFF), hello
    yield "an empty handshake record", record(22, b"") * 40, hello
    yield "application data before any handshake", record(23, noise.randbytes(64)), hello
    yield "an alert first", record(21, b"\x02\x28"), (*hello, "peer-alert")
    yield "a ServerHello from a client", record(22, b"\x02\x00\x00\x40" + noise.randbytes(64)), hello


@test
def noise(scene):
    """each kind of garbage is refused with a reason, and a good client passes after it"""
    door = Door(scene)
    good = client_context(door.domain.bundle, door.domain.issue(CLIENT))
    for title, sent, reasons in cases():
        def attempt(sent=sent):
            with PlainStream.connect(door.where) as stream:
                stream.send(sent)
                stream.close_write()
                data = stream.recv_all()
            return b"" if data[:1] == b"\x15" else data  # an alert is no data
        try:
            door.refuses_what(attempt, reasons)
        except AssertionError as error:
            raise AssertionError(f"{title}: {error}") from error
        door.passes(good)
    assert door.node.workers(), "the worker did not survive"
    assert not door.node.events("worker.died")


run()
