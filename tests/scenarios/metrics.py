"""/metrics is what Prometheus reads, counts what there was, and never counts backwards, whoever dies."""
import datetime
import os

from harness import Refused, TlsStream, channel, client_context, echo, run, test, wait_until
from harness.metrics import promtool
from harness.node import binary
from harness.pair import Pair
from harness.process import kill


def with_status(scene, **options):
    """A channel for TLS with everything counted at one node."""
    domain = scene.domain()
    server = scene.server(echo)
    where = scene.endpoint()
    node = scene.node("door", identities={"server": (domain.issue("server.example.org"), domain.bundle)},
                      settings={"status": scene.endpoint()},
                      channels=[channel("door", listen={"listen": where, "protect": "tls", "identity": "server"},
                                        to={"targets": [server.where], "protect": "none"})], **options)
    return domain, where, node


def exchange(where, context, session=None, data=b"x" * 1000):
    with TlsStream.connect(where, context, session=session) as stream:
        stream.send(data)
        assert stream.recv_exactly(len(data)) == data
        return stream.session


@test
def accepted_by_checkers(scene):
    """promtool and our own, stricter checker have nothing to say, with traffic and without"""
    domain, where, node = with_status(scene)
    promtool(node.http("/metrics")[2].decode())
    node.metrics()
    context = client_context(domain.bundle)
    exchange(where, context)
    try:
        TlsStream.connect(where, client_context(scene.domain().bundle))
    except Refused:
        pass
    node.wait_event("connection.refused")
    text = node.http("/metrics")[2].decode()
    promtool(text)
    assert "cipherway_handshake_seconds_bucket" in text and "cipherway_connections_refused_total" in text, text


@test
def count(scene):
    """connections, handshakes of both kinds, refusals by reason, bytes, times, expiry: as many as there were"""
    domain, where, node = with_status(scene)
    node.wait_for_tickets()
    context = client_context(domain.bundle)
    session = exchange(where, context)
    exchange(where, context, session=session)
    node.wait_event("connection.closed", count=2)
    try:
        TlsStream.connect(where, client_context(scene.domain().bundle))
        raise AssertionError("a stranger's client was content")
    except Refused:
        pass
    node.wait_event("connection.refused")
    with TlsStream.connect(where, context) as stream:
        stream.send(b"y")
        stream.recv_exactly(1)
        found = node.metrics()
    door = {"channel": "door"}
    assert found["cipherway_connections_open", door] == 1
    assert found["cipherway_connections_total", door] == 4
    full = found["cipherway_handshakes_total", {**door, "side": "client", "kind": "full"}]
    resumed = found["cipherway_handshakes_total", {**door, "side": "client", "kind": "resumed"}]
    assert (full, resumed) == (2, 1), (full, resumed)
    assert found["cipherway_handshake_seconds_count", {**door, "side": "client"}] == 3
    assert found["cipherway_connections_refused_total", {**door, "reason": "peer-alert"}] == 1
    for direction in ("in", "out"):
        assert 2000 <= found["cipherway_relayed_bytes_total", {**door, "direction": direction}] <= 2001
    assert found["cipherway_target_connect_seconds_count", door] == 3
    assert found["cipherway_keyholder_sign_seconds_count"] == found[
        "cipherway_keyholder_signatures_total", {"identity": "server"}] >= 3
    expires = node.status()["identities"][0]["not_after"]
    seconds = datetime.datetime.fromisoformat(expires.replace("Z", "+00:00")).timestamp()
    assert found["cipherway_certificate_not_after_timestamp_seconds", {"identity": "server"}] == seconds
    assert found["cipherway_process_cpu_seconds_total", {"process": "gateway-0"}] >= 0
    assert found["cipherway_process_resident_memory_bytes", {"process": "keyholder"}] > 1e6
    version = next(dict(labels)["version"] for name, labels in found.samples if name == "cipherway_build_info")
    assert version in os.popen(f"{binary()} --version").read()


@test
def never_go_back(scene):
    """workers and the keyholder are killed, the config is reloaded, the status server is killed: no counter is lower than before"""
    domain, where, node = with_status(scene, workers=2)
    context = client_context(domain.bundle)
    before = {}

    def grew():
        nonlocal before
        now = node.metrics().counters()
        for key, value in before.items():
            assert now.get(key, -1) >= value, f"{key} went from {value} to {now.get(key)}"
        before = now

    for _ in range(10):
        exchange(where, context)
    node.wait_event("connection.closed", count=10)
    grew()
    for worker in node.workers():
        kill(worker)
    node.wait_event("worker.died", count=2)
    wait_until(lambda: len(node.workers()) == 2, "the workers to come back")
    exchange(where, context)
    grew()
    assert before["cipherway_connections_total", (("channel", "door"),)] >= 11
    kill(node.keyholder())
    node.wait_event("keyholder.died")
    exchange(where, context)
    grew()
    assert node.reload()["event"] == "node.reloaded"
    exchange(where, context)
    grew()
    kill(node.status_server())
    node.wait_event("status.died")
    node.wait_event("status.started", count=2)
    grew()
    found = node.metrics()
    assert found.total("cipherway_process_restarts_total") == 4  # two workers, the keyholder, the status server
    assert found["cipherway_reloads_total", {"result": "succeeded"}] == 1
    assert found["cipherway_last_reload_success"] == 1
    node.write_config(toml="[node]\n")
    assert node.reload()["event"] == "node.reload.failed"
    found = node.metrics()
    assert found["cipherway_reloads_total", {"result": "failed"}] == 1 and found["cipherway_last_reload_success"] == 0


@test
def a_worker_that_drains_takes_nothing_along(scene):
    """what a worker counted in the moment before it left stays: the config has one worker less"""
    domain, where, node = with_status(scene, workers=2)
    context = client_context(domain.bundle)
    for _ in range(30):
        exchange(where, context)
    node.wait_event("connection.closed", count=30)
    with open(node.config) as file:
        text = file.read()
    node.write_config(toml=text.replace("workers = 2", "workers = 1"))
    assert node.reload()["event"] == "node.reloaded"
    node.wait_event("worker.ended")
    assert node.metrics()["cipherway_connections_total", {"channel": "door"}] == 30


@test
def both_sides(scene):
    """handshakes with targets are counted as those of that side"""
    pair = Pair(scene, a_settings={"status": scene.endpoint()})
    pair.exchange(b"hello")
    found = pair.a.metrics()
    assert found.total("cipherway_handshakes_total", side="target") == 1
    assert found.total("cipherway_handshakes_total", side="client") == 0, "the client side of this channel has no TLS"
    assert found["cipherway_handshake_seconds_count", {"channel": "out", "side": "target"}] == 1


run()
