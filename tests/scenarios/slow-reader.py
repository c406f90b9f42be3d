"""A side that does not read what there is for it is ended after `timeouts.stall`; one that reads slowly is not."""
import threading
import time

from harness import Refused, TlsStream, Truncated, channel, client_context, flood, run, slow_reader, test
from harness.refusals import SERVER

TOTAL = 24 << 20


def door(scene, behaviour, stall):
    """TLS in front of `behaviour`; nothing else than a stall ends a connection here."""
    domain = scene.domain()
    server = scene.server(behaviour)
    where = scene.endpoint()
    node = scene.node("door", identities={"server": (domain.issue(SERVER), domain.bundle)},
                      channels=[channel("door", listen={"listen": where, "protect": "tls", "identity": "server"},
                                        to={"targets": [server.where], "protect": "none"},
                                        timeouts={"stall": stall, "idle": "10m"})])
    return node, where, server, client_context(domain.bundle)


@test
def client_that_does_not_read(scene):
    """the server has much to say, the client reads nothing: stalled client, also when it goes on sending"""
    node, where, server, context = door(scene, flood(TOTAL), "1s")
    stream = TlsStream.connect(where, context)
    gone = False
    began = time.monotonic()
    while not node.events("connection.closed"):
        try:
            stream.send(b"still here")  # bytes of its own are no sign that it reads
        except OSError:
            gone = True
        time.sleep(0.05)
        assert time.monotonic() - began < 30, "a client that reads nothing is served for ever"
    closed = node.wait_event("connection.closed")
    print(f"     ended after {closed['seconds']:.1f} s, {closed['bytes_out']} bytes were taken from the server")
    assert closed["how"] == "stalled client", closed
    assert closed["bytes_out"] < TOTAL
    assert gone or server.conversation().ended in ("reset", "closed")
    try:
        got = len(stream.recv_all())
        raise AssertionError(f"the client takes {got} bytes for the whole")
    except (Truncated, Refused):
        pass


@test
def client_that_reads_slowly(scene):
    """the control: it takes much longer than the stall timeout for all, but reads something all the time, and gets everything"""
    node, where, server, context = door(scene, flood(TOTAL), "1s")
    stream = TlsStream.connect(where, context)
    stream.send(b"go")
    got = 0
    began = time.monotonic()
    while got < TOTAL:
        data = stream.recv_exactly(min(TOTAL - got, TOTAL // 24))
        got += len(data)
        time.sleep(0.15)
    print(f"     {got} bytes in {time.monotonic() - began:.1f} s")
    assert time.monotonic() - began > 2, "that was not slow"
    stream.close()
    assert node.wait_event("connection.closed")["how"] == "closed"


@test
def server_that_does_not_read(scene):
    """a server that accepts and reads nothing: stalled target"""
    gate = threading.Event()
    node, where, server, context = door(scene, slow_reader(gate), "1s")
    stream = TlsStream.connect(where, context)

    def send():
        try:
            for _ in range(TOTAL >> 16):
                stream.send(bytes(65536))
        except OSError:
            pass
    threading.Thread(target=send, daemon=True).start()
    closed = node.wait_event("connection.closed", deadline=40)
    gate.set()
    assert closed["how"] == "stalled target", closed


@test
def others_go_on(scene):
    """while one is stalled, others of the same worker are served"""
    node, where, server, context = door(scene, flood(TOTAL), "3s")
    stalled = TlsStream.connect(where, context)
    stalled.send(b"go")
    for _ in range(3):
        with TlsStream.connect(where, context) as stream:
            stream.send(b"go")
            assert len(stream.recv_exactly(1 << 20)) == 1 << 20
    assert node.wait_event("connection.closed", how="stalled client", deadline=40)


run()
