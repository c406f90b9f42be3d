"""Connections that come and go leave nothing behind: each gets its answer, and memory and descriptors stay where they were.

CIPHERWAY_CHURN=1000000 opens that many instead of 24,000.
"""
import os
import threading

from harness import run, test, wait_until
from harness.net import split_endpoint
from harness.pair import Pair
from harness.process import MEMORY_TELLS, anonymous_kb, descriptors

CONNECTIONS = int(os.environ.get("CIPHERWAY_CHURN", "24000"))
ROUNDS = 6
GROWTH_KB = 640  # of any process; the smallest of each half is compared, because a heap shrinks only now and then


@test
def churn(scene):
    """400 connections, 8 at a time; afterwards each worker has as many descriptors as before"""
    pair = Pair(scene)
    pair.exchange(b"first")
    workers = [pair.a.worker(), pair.b.worker()]
    for node in (pair.a, pair.b):
        node.wait_event("connection.closed")
    before = [len(descriptors(pid)) for pid in workers]
    failures = []

    def client(number):
        for turn in range(50):
            try:
                pair.exchange(f"client {number} turn {turn} ".encode() * 40)
            except Exception as error:
                failures.append(error)
    threads = [threading.Thread(target=client, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, f"{len(failures)} of 400 failed: {failures[0]!r}"
    for node in (pair.a, pair.b):
        node.wait_event("connection.closed", count=401)
        assert len(node.events("connection.open")) == 401
    wait_until(lambda: [len(descriptors(pid)) for pid in workers] == before, "descriptors to be given back")


@test
def memory(scene):
    """24,000 connections through two nodes, half of them with full handshakes: memory and descriptors stay where they were"""
    server = scene.endpoint()
    address, port = split_endpoint(server)[1]
    scene.process(["redis-server", "--bind", address, "--port", port, "--save", "", "--maxclients", 4000, "--dir",
                   scene.folder]).wait_listening(server)
    pair = Pair(scene, target=server, tap=False, workers=2)
    pair.b.wait_for_tickets()
    mine = ["--tls", "--cacert", pair.domain.bundle, "--cert", pair.client.certificate, "--key", pair.client.key]

    def knock(count: int) -> None:
        """`count` connections with one command each: to A in clear, and to B with a full handshake each."""
        clients = []
        for where, options in ((pair.entry, []), (pair.inner, mine)):
            host, number = split_endpoint(where)[1]
            clients.append(scene.process(["redis-benchmark", "-h", host, "-p", number, *options, "-k", 0, "-c", 20,
                                          "-n", count // 2, "-t", "ping_mbulk", "-q"]))
        for client in clients:
            assert client.wait(3600) == 0 and "requests per second" in client.text, client.text[-1000:]
            client.forget()

    def measured() -> dict:
        """Name -> (anonymous memory in kB, descriptors) of every process, once all connections have ended."""
        for node in (pair.a, pair.b):
            wait_until(lambda: node.status()["sessions"]["open"] == 0, "connections to end", 30, pause=0.1)
        found = {}
        for node in (pair.a, pair.b):
            family = [("supervisor", node.supervisor), ("keyholder", node.keyholder())] + [
                (f"worker {number}", pid) for number, pid in enumerate(node.workers())]
            for name, pid in family:
                found[f"{node.name} {name}"] = anonymous_kb(pid), len(descriptors(pid))
        return found
    knock(CONNECTIONS // ROUNDS)  # what is kept for the next connection is there after this
    seen = [measured()]
    for _ in range(ROUNDS):
        knock(CONNECTIONS // ROUNDS)
        seen.append(measured())
    for name in seen[0]:
        print(f"     {name:13} anonymous kB " + " ".join(f"{s[name][0]:6}" for s in seen)
              + "   descriptors " + " ".join(f"{s[name][1]:3}" for s in seen))
    full = sum(channel["full"] for channel in pair.b.status()["channels"])
    assert full >= CONNECTIONS // 2, f"only {full} full handshakes"
    half = (ROUNDS + 1) // 2
    for name in seen[0]:
        before, after = (min(s[name][0] for s in part) for part in (seen[:half], seen[-half:]))
        assert not MEMORY_TELLS or after - before <= GROWTH_KB, \
            f"{name} grew by {after - before} kB over {CONNECTIONS} connections"
        assert len({s[name][1] for s in seen}) == 1, f"{name} keeps descriptors"
    for node in (pair.a, pair.b):
        # redis-benchmark drops what it has just begun when it has enough answers.
        refused = [e for e in node.events("connection.refused") if (e["side"], e["reason"]) != ("client", "protocol-error")]
        assert not refused, f"{node.name} refused {len(refused)}, the first: {refused[0]}"
        assert not node.events("worker.died")


run()
