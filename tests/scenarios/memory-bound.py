"""Clients that read nothing, each with a server that sends in bulk: the worker's buffers stay within `worker_memory`.

Control: the same crowd at a worker that may hold a gigabyte makes it hold much more, so the measurement sees what is held.
"""
import select
import socket
import threading

from harness import PlainStream, channel, run, test, wait_until
from harness.crowd import raise_descriptor_limit
from harness.process import status_fields

READERS = 2000
BUDGET_MB = 24
PIECE = bytes(range(256)) * 256


class Bulk:
    """A server that sends to everybody all the time, and as much as they take; one thread, whatever their number."""

    def __init__(self, where: str):
        host, _, port = where.rpartition(":")
        self.where = where
        self.listener = socket.create_server((host, int(port)), backlog=4096)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)  # the kernel's memory is not the subject
        self.listener.setblocking(False)
        self.sent = 0
        self.open = {}
        self.stopping = False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def stop(self) -> None:
        self.stopping = True
        self.thread.join(10)
        for sock, _ in self.open.values():
            sock.close()
        self.listener.close()

    def _run(self) -> None:
        epoll = select.epoll()
        epoll.register(self.listener.fileno(), select.EPOLLIN)
        while not self.stopping:
            for number, events in epoll.poll(0.1, 200):
                if number == self.listener.fileno():
                    self._accept(epoll)
                elif number in self.open:
                    self._send(number)

    def _accept(self, epoll) -> None:
        for _ in range(50):
            try:
                sock, _ = self.listener.accept()
            except BlockingIOError:
                return
            sock.setblocking(False)
            self.open[sock.fileno()] = (sock, 0)
            epoll.register(sock.fileno(), select.EPOLLOUT)

    def _send(self, number: int) -> None:
        sock, at = self.open[number]
        try:
            done = sock.send(PIECE[at:])
            self.sent += done
            self.open[number] = (sock, (at + done) % len(PIECE))
        except BlockingIOError:
            pass
        except OSError:
            del self.open[number]
            sock.close()


def resident_mb(pid: int, which: str = "VmRSS") -> float:
    return int(status_fields(pid)[which].split()[0]) / 1024


def stalled_crowd(scene, memory: str):
    """A node with that budget, and READERS clients that read nothing, once the bulk has come to a stop."""
    bulk = scene.own(Bulk(scene.endpoint()))
    where = scene.endpoint()
    node = scene.node("node", settings={"worker_memory": memory},
                      channels=[channel("c", listen={"listen": where, "protect": "none"},
                                        to={"targets": [bulk.where], "protect": "none"})])
    empty = resident_mb(node.worker())
    readers = []
    for _ in range(READERS):
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        sock.settimeout(10)
        sock.connect((where.rpartition(":")[0], int(where.rpartition(":")[2])))
        readers.append(scene.own(Held(sock)))
    wait_until(lambda: len(bulk.open) == READERS, "everybody to be connected", 60)
    seen = [0, 0]

    def quiet():
        seen[1] = seen[1] + 1 if bulk.sent == seen[0] else 0
        seen[0] = bulk.sent
        return seen[1] > 20
    wait_until(quiet, "the bulk to be stopped", 60, pause=0.05)
    return node, where, bulk, empty


class Held:
    def __init__(self, sock):
        self.sock = sock

    def stop(self) -> None:
        self.sock.close()


@test
def bounded(scene):
    """2,000 slow readers: what the worker holds stays within the budget, and a good client gets 8 MB all the same"""
    raise_descriptor_limit(2 * READERS + 500)
    node, where, bulk, empty = stalled_crowd(scene, f"{BUDGET_MB}MiB")
    worker = node.worker()
    held = [row for row in node.status()["processes"] if row["pid"] == worker][0]["buffers"]["held"] / (1 << 20)
    peak = resident_mb(worker, "VmHWM")
    with PlainStream.connect(where) as good:
        got = good.recv_exactly(8 << 20)
    assert got == PIECE * ((8 << 20) // len(PIECE)), "what the good client got is not what was sent"
    after = resident_mb(worker, "VmHWM")
    print(f"     resident: {empty:.1f} MB empty, {peak:.1f} MB at most with {READERS} slow readers, {after:.1f} MB after a "
          f"good client; {held:.1f} MB in buffers, budget {BUDGET_MB} MB; {bulk.sent >> 20} MB sent")
    assert held <= BUDGET_MB, held
    # A connection has its own state too: it is counted apart from what it holds.
    assert after - empty < BUDGET_MB * 1.25 + READERS * 4 / 1024, f"{after - empty:.1f} MB more than empty"
    assert node.worker() == worker, "the worker died"


@test
def control(scene):
    """the same crowd at a worker that may hold a gigabyte: it holds several times as much"""
    raise_descriptor_limit(2 * READERS + 500)
    node, where, bulk, empty = stalled_crowd(scene, "1GiB")
    peak = resident_mb(node.worker(), "VmHWM")
    print(f"     resident: {empty:.1f} MB empty, {peak:.1f} MB at most with {READERS} slow readers and no budget")
    assert peak - empty > 2 * BUDGET_MB, "this crowd would need no budget"


run()
