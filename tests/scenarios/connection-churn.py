"""Hundreds of short connections, several at a time: each gets its answer, and nothing is left of them."""
import threading

from harness import run, test, wait_until
from harness.pair import Pair
from harness.process import descriptors


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


run()
