"""A client that sends so that nothing ever becomes of it is ended; one that says little, but says it, is not.

Only what can be passed on counts: pieces of a record that is never complete, or of a handshake that never ends, keep nobody alive.
"""
import time

from harness import PlainStream, TlsStream, client_context, run, test
from harness.crowd import client_hello
from harness.refusals import ANSWER, CLIENT, Door

RECORD = b"\x17\x03\x03\x40\x00"  # 16 kB of application data are to come


def dribble(node, send, event, seconds=30, pause=0.05) -> dict:
    """Calls `send(number)` until the node has logged `event`, which is returned; the peer may be gone by then."""
    began, number = time.monotonic(), 0
    while not node.events(event):
        try:
            send(number)
        except OSError:
            pass
        number += 1
        time.sleep(pause)
        assert time.monotonic() - began < seconds, f"still served after {number} pieces"
    print(f"     ended after {time.monotonic() - began:.1f} s and {number} pieces")
    return node.wait_event(event)


@test
def record_without_end(scene):
    """a record that comes a byte at a time and is never complete: idle timeout"""
    door = Door(scene, timeouts={"idle": "1s"})
    stream = TlsStream.connect(door.where, client_context(door.domain.bundle, door.domain.issue(CLIENT)))
    stream.send(b"x")
    assert stream.recv_exactly(len(ANSWER)) == ANSWER
    rest = RECORD + bytes(16000)
    closed = dribble(door.node, lambda number: stream.send_raw(rest[number:number + 1]), "connection.closed")
    assert closed["how"] == "idle timeout", closed
    assert closed["bytes_in"] == 1, closed


@test
def little_by_little(scene):
    """the control: a byte at a time in records of their own is traffic, for much longer than the idle timeout"""
    door = Door(scene, timeouts={"idle": "1s"})
    stream = TlsStream.connect(door.where, client_context(door.domain.bundle, door.domain.issue(CLIENT)))
    for _ in range(25):
        stream.send(b"x")
        assert stream.recv_exactly(len(ANSWER)) == ANSWER
        time.sleep(0.1)
    stream.close()
    assert door.node.wait_event("connection.closed")["how"] == "closed"


@test
def hello_without_end(scene):
    """slow-loris: a ClientHello a byte at a time; what arrives does not extend the handshake's time"""
    door = Door(scene, timeouts={"handshake": "1s"})
    hello = client_hello(client_context(door.domain.bundle, door.domain.issue(CLIENT)))
    stream = PlainStream.connect(door.where)
    event = dribble(door.node, lambda number: stream.send(hello[number:number + 1]), "connection.refused")
    assert event["reason"] == "handshake-timeout", event
    assert len(hello) > 200


@test
def many_at_once(scene):
    """300 of them at once: all are ended, and a good client is served all the time"""
    door = Door(scene, timeouts={"handshake": "2s"})
    context = client_context(door.domain.bundle, door.domain.issue(CLIENT))
    hello = client_hello(context)
    streams = [PlainStream.connect(door.where) for _ in range(300)]

    def send(number):
        for stream in streams:
            try:
                stream.send(hello[number:number + 1])
            except OSError:
                pass
        door.passes(context)
    dribble(door.node, send, "connection.refused", pause=0.2)
    door.passes(context)


run()
