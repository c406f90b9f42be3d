"""`cipherway status` says what the node does and who holds which key, from what the processes themselves report."""
import json
import subprocess

from harness import run, test, wait_until
from harness.node import binary
from harness.pair import Pair
from harness.refusals import SERVER


def status_text(node, *flags) -> str:
    done = subprocess.run([binary(), "status", node.config, *flags], capture_output=True, timeout=20)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode()


@test
def counts(scene):
    """channels, connections, sessions and bytes are those that there were; both forms agree"""
    pair = Pair(scene, workers=2)
    for _ in range(3):
        pair.exchange(b"x" * 1000)
    pair.b.wait_event("connection.closed", count=3)
    with pair.connect() as stream:
        stream.send(b"y")
        stream.recv_exactly(1)
        status = pair.b.status()
        channel = status["channels"][0]
        assert channel["name"] == "in" and channel["open"] == 1, channel
        assert channel["full"] + channel["resumed"] == 4, channel
        assert channel["bytes_in"] == channel["bytes_out"] >= 3000, channel
        assert not status["silent"], "a process did not report"
        identity = status["identities"][0]
        assert SERVER in identity["names"], identity
        assert identity["not_after"] > identity["not_before"], identity
        text = status_text(pair.b)
        assert "in" in text and SERVER in text and identity["not_after"][:10] in text, text


@test
def exposure(scene):
    """private keys and ticket roots: the keyholder alone; ticket and session keys: the workers that hold them"""
    pair = Pair(scene, workers=2)
    with pair.connect() as stream:
        stream.send(b"y")
        stream.recv_exactly(1)
        for node in (pair.a, pair.b):
            rows = node.status()["exposure"]
            holders = {}
            for row in rows:
                assert row["lifetime"], row
                holders.setdefault(row["key"].split(" of ")[0], set()).add(row["pid"])
            assert holders["private key"] == {node.keyholder()}, rows
            sessions = {pid for row in rows for pid in [row["pid"]] if "session" in row["key"]}
            assert sessions == set(node.workers()), rows
            assert node.supervisor not in {row["pid"] for row in rows}, "the supervisor holds a key"
        assert any("ticket root" in row["key"] and row["process"] == "keyholder"
                   for row in pair.b.status()["exposure"])
    text = status_text(pair.b, "--exposure")
    assert "private key of server" in text and "keyholder" in text, text
    json.loads(status_text(pair.b, "--exposure", "--json"))


@test
def sandboxes(scene):
    """each process says how it is locked in, and it is so"""
    pair = Pair(scene)
    pair.exchange(b"x")
    for row in pair.b.status()["processes"]:
        if row["pid"] != pair.b.supervisor:
            assert row["sandbox"]["seccomp"], row
    assert {row["pid"] for row in pair.b.status()["processes"]} == {
        pair.b.supervisor, pair.b.keyholder(), pair.b.worker()}


@test
def nobody_there(scene):
    """no node: exit 1 and a sentence"""
    pair = Pair(scene)
    pair.a.stop()
    wait_until(lambda: pair.a.child.poll() is not None, "the node to end")
    done = subprocess.run([binary(), "status", pair.a.config], capture_output=True, timeout=20)
    assert done.returncode == 1 and done.stderr, done


run()
