"""A side that does not read stops the side that sends: the worker's memory stays bounded, and nothing is lost."""
import threading

from harness import flood, run, slow_reader, test, wait_until
from harness.pair import Pair
from harness.process import status_fields

TOTAL = 48 << 20


def resident_kb(pid: int) -> int:
    return int(status_fields(pid)["VmRSS"].split()[0])


def stalled(progress) -> int:
    """Waits until `progress()` no longer grows, and returns it."""
    seen = [progress(), 0]

    def still():
        now = progress()
        seen[1] = seen[1] + 1 if now == seen[0] else 0
        seen[0] = now
        return seen[1] >= 30
    wait_until(still, "the sender to be stopped", 20)
    return seen[0]


@test
def slow_server(scene):
    """a server that does not read: the client is stopped; when it reads at last, every byte is there"""
    gate = threading.Event()
    pair = Pair(scene, behaviour=slow_reader(gate))
    workers = [pair.a.worker(), pair.b.worker()]
    before = [resident_kb(pid) for pid in workers]
    sent = [0]
    stream = pair.connect()
    stream.sock.settimeout(60)

    def send():
        piece = bytes(65536)
        while sent[0] < TOTAL:
            stream.send(piece)
            sent[0] += len(piece)
        stream.close_write()
    sender = threading.Thread(target=send, daemon=True)
    sender.start()
    assert stalled(lambda: sent[0]) < TOTAL, "nobody stopped the client"
    for pid, was in zip(workers, before):
        assert resident_kb(pid) - was < 8 << 10, f"a worker has buffered {resident_kb(pid) - was} kB"
    gate.set()
    sender.join(60)
    assert pair.server.conversation(deadline=60).bytes == TOTAL


@test
def slow_client(scene):
    """a client that does not read: the server is stopped; other connections of the worker go on"""
    pair = Pair(scene, behaviour=flood(TOTAL))
    workers = [pair.a.worker(), pair.b.worker()]
    before = [resident_kb(pid) for pid in workers]
    stream = pair.connect()
    stream.send(b"go")
    wait_until(lambda: pair.server.conversations, "the server to begin")
    stalled(lambda: len(pair.tap.recorded(to_server=False)))
    assert pair.server.conversations[0].ended is None, "nobody stopped the server"
    for pid, was in zip(workers, before):
        assert resident_kb(pid) - was < 8 << 10, f"a worker has buffered {resident_kb(pid) - was} kB"
    with pair.connect() as other:
        other.send(b"go")
        other.recv_exactly(1 << 20)
    assert len(stream.recv_exactly(TOTAL)) == TOTAL
    stream.close()


run()
