"""Each example runs: its make-identities makes what its configs name, its nodes start, and bytes pass from end to end.

Only the addresses are changed, to those of this test. Control: with certificates of another authority nothing passes.
"""
import os
import re
import shutil
import subprocess

from harness import (Credential, PlainStream, Refused, Scene, TlsStream, Truncated, answer_with, client_context, echo,
                     net, run, server_context, test)
from harness.node import binary

EXAMPLES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "examples")


class Example:
    """A copy of one folder of examples/ in the scene, with addresses of its own; `at` maps the written ones to them."""

    def __init__(self, scene: Scene, name: str):
        self.scene = scene
        self.at = {}
        self.configs = {}
        for file in os.listdir(os.path.join(EXAMPLES, name)):
            if re.fullmatch(r"make-identities|node.*\.toml", file):
                shutil.copy(os.path.join(EXAMPLES, name, file), scene.path(file))
        self.make_identities()  # which may write to the configs
        for file in sorted(os.listdir(scene.folder)):
            if file.endswith(".toml"):
                with open(scene.path(file)) as text:
                    self.configs[file[:-5]] = re.sub(r"127\.0\.0\.\d+:\d+", self._address, text.read())

    def _address(self, match) -> str:
        return self.at.setdefault(match[0], self.scene.endpoint())

    def make_identities(self) -> None:
        subprocess.run([self.scene.path("make-identities")], check=True, capture_output=True, timeout=30,
                       env={**os.environ, "CIPHERWAY": binary()})

    def node(self, name: str):
        node = self.scene.node(name, toml=self.configs[name])
        checked = subprocess.run([binary(), "check", "--files", node.config], capture_output=True, text=True, timeout=20)
        assert checked.returncode == 0, checked.stderr
        return node

    def credential(self, name: str) -> Credential:
        return Credential(self.scene.path(f"{name}.pem"), self.scene.path(f"{name}.key"), None, None, (), [])


def talks(stream) -> None:
    stream.send(b"hello")
    assert stream.recv_exactly(5) == b"hello"


def says_nothing(where: str) -> None:
    with PlainStream.connect(where) as stream:
        try:
            stream.send(b"hello")
            assert stream.recv() == b"", "bytes passed between trust domains"
        except ConnectionError:
            pass


@test
def tls_in_front(scene: Scene):
    """tls-in-front: a TLS client reaches a plain server, and a client that trusts somebody else refuses"""
    example = Example(scene, "tls-in-front")
    scene.server(echo, where=example.at["127.0.0.1:8080"])
    example.node("node")
    where = example.at["127.0.0.1:8443"]
    with TlsStream.connect(where, client_context(scene.path("bundle.pem"))) as stream:
        talks(stream)
        assert stream.tls.version() == "TLSv1.3"
    try:
        TlsStream.connect(where, client_context(scene.domain().bundle))
        raise AssertionError("a client that trusts another authority was content")
    except Refused:
        pass


@test
def balance(scene: Scene):
    """balance: three instances, by weight; one that is not well gets nobody"""
    example = Example(scene, "balance")

    def instance(name: bytes, status: bytes):
        def behaviour(stream, conversation):
            while data := stream.recv():
                stream.send(b"HTTP/1.1 " + status + b"\r\n\r\n" if data.startswith(b"GET") else name)
        return behaviour
    for name, port, status in ((b"a", 8081, b"200 OK"), (b"b", 8082, b"503 Not now"), (b"c", 8083, b"200 OK")):
        scene.server(instance(name, status), where=example.at[f"127.0.0.1:{port}"])
    node = example.node("node")
    node.wait_event("target.down")
    held, served = [], []
    for _ in range(9):
        stream = TlsStream.connect(example.at["127.0.0.1:8443"], client_context(scene.path("bundle.pem")))
        stream.send(b"?")
        served.append(stream.recv())
        held.append(stream)
    assert (served.count(b"a"), served.count(b"b"), served.count(b"c")) == (3, 0, 6), served


@test
def mutual_tls_between_hosts(scene: Scene):
    """mutual-tls-between-hosts: plain client, node A, node B, plain server; not with identities of two authorities"""
    example = Example(scene, "mutual-tls-between-hosts")
    server = scene.server(echo, where=example.at["127.0.0.2:8080"])
    b = example.node("node-b")
    first = example.node("node-a")
    with PlainStream.connect(example.at["127.0.0.1:8081"]) as stream:
        talks(stream)
    assert b.wait_event("connection.open")["client"] == "spiffe://example.org/frontend"
    first.stop()
    passed = server.application_bytes
    shutil.rmtree(scene.path("authority"))
    example.make_identities()  # of a new authority, which node B does not know
    example.node("node-a")
    says_nothing(example.at["127.0.0.1:8081"])
    assert server.application_bytes == passed


@test
def client_side(scene: Scene):
    """client-side: a plain client reaches a server that asks for certificates and sees that of the batch job"""
    example = Example(scene, "client-side")
    context = server_context(example.credential("ledger"), trust=scene.path("bundle.pem"))
    server = scene.server(echo, context=context, where=example.at["127.0.0.1:8443"])
    example.node("node")
    with PlainStream.connect(example.at["127.0.0.1:8082"]) as stream:
        talks(stream)
    assert ("URI", "spiffe://example.org/batch") in server.conversations[0].peer["subjectAltName"]


@test
def unix_socket(scene: Scene):
    """unix-socket: from UNIX socket to UNIX socket, with mutual TLS in between"""
    example = Example(scene, "unix-socket")
    os.chmod(scene.folder, 0o777)  # the node makes client.sock here
    scene.server(echo, where=f"unix:{scene.path('server.sock')}")
    example.node("node")
    with PlainStream.connect(f"unix:{scene.path('client.sock')}") as stream:
        talks(stream)


@test
def several_names(scene: Scene):
    """several-names: the name decides; partners only for one, another's TLS untouched for one, an alert for the rest"""
    example = Example(scene, "several-names")
    scene.server(answer_with(b"shop"), where=example.at["127.0.0.1:8081"])
    scene.server(answer_with(b"api!"), where=example.at["127.0.0.1:8082"])
    mail = scene.server(answer_with(b"mail"), server_context(example.credential("mail")),
                        where=example.at["127.0.0.1:8444"])
    node = example.node("node")
    where, bundle = example.at["127.0.0.1:8443"], scene.path("bundle.pem")

    def asks(name, credential=None) -> str:
        with TlsStream.connect(where, client_context(bundle, credential), server_name=name) as stream:
            stream.send(b"x")
            return f"{stream.recv_exactly(4).decode()} by {stream.tls.getpeercert()['subjectAltName'][-1][1]}"

    assert asks("shop.example.org") == "shop by shop.example.org"
    assert asks("api.example.org", example.credential("partner")) == "api! by api.example.org"
    assert asks("mail.example.org") == "mail by mail.example.org"
    assert mail.conversations[0].version == "TLSv1.3", "it was the server's own TLS"
    for name, credential, reason in (("api.example.org", None, "no-certificate"),
                                     ("api.example.org", example.credential("api"), "name-not-allowed"),
                                     ("other.example.org", None, "unknown-name")):
        before = len(node.events("connection.refused"))
        try:
            asks(name, credential)
            raise SystemError(f"{name} was served")
        except (Refused, Truncated, OSError) as refused:
            assert name != "other.example.org" or "unrecognized name" in str(refused).lower(), refused
        assert node.wait_event("connection.refused", count=before + 1)["reason"] == reason


@test
def behind_a_load_balancer(scene: Scene):
    """behind-a-load-balancer: the header's address reaches log and server; without a header nobody is served"""
    example = Example(scene, "behind-a-load-balancer")
    server = scene.server(echo, where=example.at["127.0.0.1:8080"])
    node = example.node("node")
    where, context = example.at["127.0.0.1:8443"], client_context(scene.path("bundle.pem"))

    def connect(header: bytes) -> TlsStream:
        sock = net.connect(where, 10)
        sock.sendall(header)
        stream = TlsStream(sock, context)
        stream.handshake()
        return stream

    header = b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 443\r\n"
    with connect(header) as stream:
        stream.send(b"hello")
        assert stream.recv_exactly(len(header) + 5) == header + b"hello"
    assert node.wait_event("connection.open")["from"].startswith("192.0.2.7"), node.events("connection.open")
    reached = len(server.conversations)
    try:
        connect(b"")
        raise SystemError("a connection without a header was served")
    except (Refused, Truncated, OSError):
        pass
    assert len(server.conversations) == reached


@test
def mutual_tls_by_pin(scene: Scene):
    """mutual-tls-by-pin: the keys that are named reach each other; another key of the same name does not"""
    example = Example(scene, "mutual-tls-by-pin")
    server = scene.server(echo, where=example.at["127.0.0.1:5432"])
    first = example.node("node")
    with PlainStream.connect(example.at["127.0.0.1:5433"]) as stream:
        talks(stream)
    first.stop()
    passed = server.application_bytes
    os.remove(scene.path("report.key"))
    subprocess.run([binary(), "authority", "issue", "--dir", scene.path("authority"), "--name",
                    "spiffe://example.org/report", "--out", scene.path("report"), "--force"], check=True,
                   capture_output=True, timeout=30)
    second = example.node("node")
    says_nothing(example.at["127.0.0.1:5433"])
    assert second.wait_event("connection.refused", side="client")["reason"] == "name-not-allowed"
    assert server.application_bytes == passed


@test
def all_are_here(scene: Scene):
    """every folder of examples/ is run by a test of this file, and explains itself"""
    tested = {"tls-in-front", "mutual-tls-between-hosts", "client-side", "unix-socket",
              "several-names", "behind-a-load-balancer", "mutual-tls-by-pin", "balance",
              "monitoring"}
    there = {name for name in os.listdir(EXAMPLES) if os.path.isdir(os.path.join(EXAMPLES, name))}
    assert there == tested, there ^ tested
    for name in there:
        assert os.path.isfile(os.path.join(EXAMPLES, name, "README.md")), name


@test
def monitoring(scene: Scene):
    """monitoring: metrics on loopback, and through the channel for whom it allows; Prometheus takes its files"""
    example = Example(scene, "monitoring")
    example.node("node")
    status = example.at["127.0.0.1:9090"]
    request = b"GET /metrics HTTP/1.1\r\nHost: gateway.example.org:9443\r\n\r\n"

    def scrape(stream):
        stream.send(request)
        answer = b""
        while chunk := stream.recv():
            answer += chunk
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n"), answer[:200]
        assert b'cipherway_connections_open{channel="shop"}' in answer, answer
    with PlainStream.connect(status) as stream:
        scrape(stream)
    prometheus = client_context(scene.path("bundle.pem"), example.credential("prometheus"))
    with TlsStream.connect(example.at["127.0.0.1:9443"], prometheus) as stream:
        scrape(stream)
    folder = os.path.join(EXAMPLES, "monitoring")
    done = subprocess.run(["promtool", "check", "config", os.path.join(folder, "prometheus.yml")], capture_output=True,
                          text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


run()
