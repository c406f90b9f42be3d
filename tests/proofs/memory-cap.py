"""100 MB both ways at once, through two nodes, with workers that may not have more than 64 MB of memory.

The cap is real (RLIMIT_DATA) and measured (peak resident memory). Control: a relay that just
keeps what it has not passed on yet is measured the same way, and is over the cap.
"""
import hashlib
import resource
import threading

from harness import run, test
from harness.pair import Pair
from harness.process import status_fields

TOTAL = 100 * 1024 * 1024
CAP_KB = 64 * 1024


def transfer(stream) -> tuple[str, str]:
    """Sends TOTAL and receives TOTAL at once; the digests of what was sent and what came."""
    piece = bytes(range(256)) * 1024
    sent, came = hashlib.sha256(), hashlib.sha256()

    def send():
        for number in range(TOTAL // len(piece)):
            block = number.to_bytes(8, "big") + piece[8:]
            sent.update(block)
            stream.send(block)
        stream.close_write()
    sender = threading.Thread(target=send)
    sender.start()
    received = 0
    while data := stream.recv(1 << 18):
        came.update(data)
        received += len(data)
    sender.join()
    assert received == TOTAL, f"{received} of {TOTAL} bytes came back"
    return sent.hexdigest(), came.hexdigest()


def keeps_everything(scene) -> int:
    """Peak memory of a program that takes the same 100 MB and holds them."""
    code = "import sys; kept = sys.stdin.buffer.read(); print('kept', len(kept), flush=True)"
    holder = scene.process(["/usr/bin/python3", "-c", code + "; import time; time.sleep(60)"])
    holder.send(bytes(TOTAL))
    holder.close_input()
    holder.wait_for("kept")
    return peak_kb(holder.pid)


def peak_kb(pid: int) -> int:
    return int(status_fields(pid)["VmHWM"].split()[0])


@test
def both_ways(scene):
    """100 MB each way through A and B: every worker's peak resident memory stays below 64 MB"""
    assert keeps_everything(scene) > CAP_KB, "the measurement does not see what a program keeps"
    cap = (CAP_KB * 1024, CAP_KB * 1024)
    pair = Pair(scene, preexec=lambda: resource.setrlimit(resource.RLIMIT_DATA, cap))
    for node in (pair.a, pair.b):
        with open(f"/proc/{node.worker()}/limits") as limits:
            assert f"Max data size             {cap[0]} " in limits.read(), "the worker is not capped"
    before = {node: peak_kb(node.worker()) for node in (pair.a, pair.b)}
    with pair.connect() as stream:
        sent, came = transfer(stream)
    assert sent == came, "the bytes that came back are not those that were sent"
    for node in (pair.a, pair.b):
        peak = peak_kb(node.worker())
        assert peak < CAP_KB, f"{node.name}'s worker needed {peak} kB (before: {before[node]})"
        closed = node.wait_event("connection.closed")
        assert closed["bytes_in"] == TOTAL and closed["bytes_out"] == TOTAL, closed


run()
