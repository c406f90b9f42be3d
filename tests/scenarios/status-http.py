"""The status server: health, the report, who may ask and how; what it holds and cannot do."""
import json
import os
import socket
import time

from harness import TlsStream, channel, client_context, echo, net, run, test, wait_until
from harness.process import alive, kill


def start(scene, **settings):
    domain = scene.domain()
    server = scene.server(echo)
    where = scene.endpoint()
    node = scene.node("door", identities={"server": (domain.issue("server.example.org", "*.apps.example.org"), domain.bundle)},
                      settings={"status": scene.endpoint(), **settings},
                      channels=[channel("door", listen={"listen": where, "protect": "tls", "identity": "server"},
                                        to={"targets": [server.where], "protect": "none"})])
    return node, server, where, domain


@test
def health(scene):
    """200 while everybody serves, 503 with the reason when the keyholder or all workers are gone or the node stops"""
    node, _, _, _ = start(scene)
    assert node.http("/healthz")[::2] == (200, b"ok\n")
    assert node.http("/healthz?channel=door")[0] == 200
    assert node.http("/healthz?channel=window")[0] == 404
    os.kill(node.keyholder(), 19)  # STOP: it is there and does not answer
    status, _, body = node.http("/healthz")
    assert status == 503 and b"keyholder" in body, body
    os.kill(node.keyholder(), 18)
    wait_until(lambda: node.http("/healthz")[0] == 200, "health to come back")
    worker = node.worker()
    os.kill(worker, 19)
    status, _, body = node.http("/healthz")
    assert status == 503 and b'channel "door": no worker serves it' in body, body
    kill(worker)
    wait_until(lambda: node.http("/healthz")[0] == 200, "health to come back")


@test
def draining(scene):
    """a node that stops says so as long as its last connections live, so that nobody new is sent to it"""
    node, _, where, domain = start(scene)
    with TlsStream.connect(where, client_context(domain.bundle)) as stream:
        stream.send(b"x")
        stream.recv_exactly(1)
        node.signal(15)
        node.wait_event("node.stopping")
        status, _, body = node.http("/healthz")
        assert status == 503 and body.startswith(b"the node is stopping\n"), (status, body)
    assert node.wait_exit() == 0


@test
def same_report(scene):
    """/status.json is what `cipherway status --json` prints"""
    node, _, _, _ = start(scene)
    served = json.loads(node.http("/status.json")[2])
    printed = node.status()

    def shape(value):
        if isinstance(value, dict):
            return {key: shape(each) for key, each in value.items()}
        return [shape(each) for each in value] if isinstance(value, list) else type(value).__name__
    assert shape(served) == shape(printed)
    assert served["exposure"] == printed["exposure"]


@test
def who_may_ask(scene):
    """GET and HEAD, under a loopback name or a name of the node's certificates; everything else is refused for what it is"""
    node, _, _, _ = start(scene)
    for host in ("localhost", "127.0.0.1:9090", "[::1]", "server.example.org:8443", "x.apps.example.org"):
        assert node.http("/healthz", host=host)[0] == 200, host
    for host in ("attacker.example", "localhost.attacker.example", "192.0.2.1"):
        for path in ("/", "/status.json", "/metrics", "/healthz"):
            assert node.http(path, host=host)[0] == 421, (host, path)
    status, fields, body = node.http("/status.json", method="HEAD")
    assert status == 200 and int(fields["content-length"]) > 100 and not body
    for path in ("/", "/status.json", "/metrics", "/healthz"):
        status, fields, _ = node.http(path)
        assert fields["x-content-type-options"] == "nosniff" and fields["cache-control"] == "no-store", fields
        assert "default-src 'none'" in fields["content-security-policy"], fields
        assert not any(name.startswith("access-control") for name in fields), fields
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE"):
        assert node.http("/status.json", method=method)[0] == 405, method
    for raw, wanted in ((b"nonsense\r\n\r\n", 400), (b"GET / HTTP/1.1\r\n\r\n", 400), (b"\x16\x03\x01\x02\x00\x01\r\n\r\n", 400),
                        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 9000 + b"\r\n\r\n", 431),
                        (b"GET / HTTP/1.0\r\n\r\n", 200)):
        assert node.http("", raw=raw)[0] == wanted, raw[:40]


@test
def slow_and_many(scene):
    """clients that say nothing keep nobody out, however many they are, and cost bounded memory"""
    node, _, _, _ = start(scene)
    idle = []
    try:
        for _ in range(300):
            idle.append(net.connect(node._settings["status"]))
        for _ in range(5):
            assert node.http("/healthz")[0] == 200
        assert os.getuid() != 0 or len(os.listdir(f"/proc/{node.status_server()}/fd")) < 100
    finally:
        for each in idle:
            each.close()


@test
def shared_reports(scene):
    """a hundred who ask at once cost the workers a few reports, not a hundred"""
    node, _, _, _ = start(scene)
    wave = [net.connect(node._settings["status"]) for _ in range(50)]
    started = time.monotonic()
    for each in wave:
        each.sendall(b"GET /status.json HTTP/1.1\r\nHost: localhost\r\n\r\n")
    bodies = set()
    for each in wave:
        answer = b""
        while chunk := each.recv(1 << 16):
            answer += chunk
        bodies.add(answer.partition(b"\r\n\r\n")[2])
        each.close()
    most = 2 + (time.monotonic() - started) / 0.25
    assert all(json.loads(body)["node"]["phase"] == "serving" for body in bodies)
    assert len(bodies) <= most, f"{len(bodies)} different reports"


@test
def moves_with_a_reload(scene):
    """a reload moves it, takes it away and brings it back; one that cannot listen there changes nothing"""
    node, _, _, _ = start(scene)
    old = node._settings["status"]
    with open(node.config) as file:
        text = file.read()
    blocked = scene.endpoint()
    with socket.create_server(net.split_endpoint(blocked)[1]):
        node.write_config(toml=text.replace(old, blocked))
        failed = node.reload()
        assert failed["event"] == "node.reload.failed" and "status" in failed["problem"], failed
        assert node.http("/healthz")[0] == 200
    node._settings["status"] = f"unix:{scene.path('status.sock')}"
    node.write_config(toml=text.replace(old, node._settings["status"]))
    assert node.reload()["event"] == "node.reloaded"
    node.wait_event("status.started", count=2)
    assert node.http("/healthz", host="whatever")[0] == 200
    try:
        net.connect(old).close()
        raise AssertionError("the old address still answers")
    except OSError:
        pass
    server = node.status_server()
    node.write_config(toml=text.replace(f'status = "{old}"\n', ""))
    assert node.reload()["event"] == "node.reloaded"
    wait_until(lambda: not alive(server), "the status server to end")
    assert not os.path.exists(scene.path("status.sock"))


@test
def holds_nothing(scene):
    """the process has no file, no socket but its listener and the supervisor's, no key, no right, and is walled in"""
    node, _, _, _ = start(scene)
    assert node.http("/healthz")[0] == 200  # it is walled in before it accepts anybody
    pid = node.status_server()
    if os.getuid() == 0:
        with open(f"/proc/{pid}/status") as file:
            about = dict(line.split(":\t", 1) for line in file.read().splitlines() if ":\t" in line)
        assert about["Seccomp"].strip() == "2" and about["NoNewPrivs"].strip() == "1", about
        assert about["CapEff"].strip() == "0" * 16 and about["Uid"].split()[0] != "0", about

        def kinds():
            files = [os.readlink(f"/proc/{pid}/fd/{name}") for name in os.listdir(f"/proc/{pid}/fd")]
            return sorted(name.split(":")[0] for name in files if not name.startswith("/dev/null"))
        wait_until(lambda: kinds().count("socket") == 2, "the socket of the last client to be closed")
        assert set(kinds()) <= {"socket", "pipe", "anon_inode"}, kinds()
    assert pid not in {row["pid"] for row in node.status()["exposure"]}, "the status server holds a key"


run()
