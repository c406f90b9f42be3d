"""HTTP/1.1 through channels: curl and wrk in front, nginx and Python's http.server behind."""
import hashlib
import http.server
import os
import re
import socketserver
import threading

from harness import PlainStream, channel, client_context, run, wait_until
from harness.net import split_endpoint
from harness.pair import Pair
from harness.programs import Program
from harness.refusals import SERVER
from harness.stream import TlsStream
from harness.web import nginx

program = Program("HTTP/1.1")
THROUGH = "plain -> mutual TLS -> plain"
HOST = "server.example.org"


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers a POST with the digest of what it got, a GET of /chunked in chunks; counts connections."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self._chunks() if self.headers.get("Transfer-Encoding") == "chunked" else \
            self.rfile.read(int(self.headers["Content-Length"]))
        answer = f"{self.headers.get('Expect')} {len(body)} {hashlib.sha256(body).hexdigest()}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_PUT = do_POST

    def do_GET(self):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for number in range(1000):
            piece = b"%d " % number * (number % 50 + 1)
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_):
        pass

    def _chunks(self) -> bytes:
        parts = []
        while length := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(length))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)


class PythonServer(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True

    def __init__(self, scene):
        self.where = scene.endpoint()
        self.connections = 0
        super().__init__(split_endpoint(self.where)[1], Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()
        scene.own(self)

    def process_request(self, request, client_address):
        self.connections += 1
        super().process_request(request, client_address)

    def stop(self):
        self.shutdown()
        self.server_close()


def curl(scene, where: str, *options, scheme="http") -> str:
    address, port = split_endpoint(where)[1]
    client = scene.process(["curl", "--silent", "--show-error", "--max-time", "30", "--http1.1", "--resolve",
                            f"{HOST}:{port}:{address}", *[o.replace("URL", f"{scheme}://{HOST}:{port}") for o in options]])
    assert client.wait(40) == 0, client.text
    return client.text


def door(scene, target: str):
    """(node, where it listens, the bundle) of a TLS listener in front of `target`."""
    domain, where = scene.domain(), scene.endpoint()
    node = scene.node("door", identities={"server": (domain.issue(SERVER, HOST), domain.bundle)}, workers=2, channels=[
        channel("web", listen={"listen": where, "protect": "tls", "identity": "server", "alpn": ["http/1.1"]},
                to={"targets": [target], "protect": "none"})])
    return node, where, domain.bundle


@program.case(THROUGH)
def chunked(scene):
    """chunks in both directions: an upload of 8 MB in chunks, and an answer of 1,000 chunks"""
    server = PythonServer(scene)
    path = Pair(scene, target=server.where, tap=False)
    body = os.urandom(8 << 20)
    given = scene.write("given", body)
    answer = curl(scene, path.entry, "URL/", "--header", "Transfer-Encoding: chunked", "--data-binary", f"@{given}")
    assert answer.endswith(f"{len(body)} {hashlib.sha256(body).hexdigest()}"), answer
    words = curl(scene, path.entry, "URL/chunked").split()
    assert len(words) == sum(number % 50 + 1 for number in range(1000)) and words[-1] == "999"


@program.case(THROUGH)
def keep_alive(scene):
    """50 requests on one connection stay on one connection, on both sides of both nodes"""
    server = PythonServer(scene)
    path = Pair(scene, target=server.where, tap=False)
    answers = curl(scene, path.entry, *["URL/chunked"] * 50)
    assert answers.count("999 ") == 50 * 50
    assert server.connections == 1, server.connections
    assert len(path.b.events("connection.open")) == 1


@program.case(THROUGH)
def continue_100(scene):
    """Expect: 100-continue: the body is sent after the server has said so"""
    path = Pair(scene, target=PythonServer(scene).where, tap=False)
    given = scene.write("given", b"z" * 3_000_000)
    seen = curl(scene, path.entry, "--verbose", "--expect100-timeout", "25", "--header", "Expect: 100-continue",
                "--upload-file", given, "URL/")
    assert seen.index("< HTTP/1.1 100 Continue") < seen.index("< HTTP/1.1 200 OK"), seen
    assert f"3000000 {hashlib.sha256(b'z' * 3_000_000).hexdigest()}" in seen


@program.case(THROUGH)
def upgrade(scene):
    """Upgrade: after 101 both sides speak something else, at the same time, and end it one direction at a time"""
    def behaviour(stream, conversation):
        request = b""
        while b"\r\n\r\n" not in request:
            request += stream.recv()
        assert b"Upgrade: chatter" in request
        stream.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chatter\r\n\r\n" + b"me first")
        while data := stream.recv():
            stream.send(data.upper())
        stream.send(b"bye")
    path = Pair(scene, behaviour=behaviour, tap=False)
    with PlainStream.connect(path.entry) as stream:
        stream.send(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: chatter\r\n\r\n")
        answer = b""
        while b"me first" not in answer:
            answer += stream.recv()
        assert answer.startswith(b"HTTP/1.1 101 ")
        for number in range(100):
            stream.send(b"word %03d" % number)
            assert stream.recv_exactly(8) == b"WORD %03d" % number
        stream.close_write()
        assert stream.recv_all() == b"bye"


def wrk(scene, url: str, *options) -> int:
    """Requests that wrk made; none may have failed."""
    client = scene.process(["wrk", "-t", "1", "-c", "32", "-d", "2s", "--timeout", "10s", *options, url])
    assert client.wait(40) == 0, client.text
    assert "Socket errors" not in client.text and "Non-2xx" not in client.text, client.text
    return int(re.search(r"(\d+) requests in", client.text)[1])


@program.case(THROUGH)
def load(scene):
    """wrk, 32 connections kept alive against nginx: no error"""
    path = Pair(scene, target=nginx(scene, b"x" * 1024), tap=False, workers=2)
    count = wrk(scene, f"http://{path.entry}/")
    assert count > 100, count
    assert wait_until(lambda: path.b.events("connection.closed"), "connections to end")


@program.case("TLS from the client on")
def tls_load(scene):
    """curl with --cacert; wrk with 32 TLS connections kept alive, and with a new one for each request: no error"""
    node, where, bundle = door(scene, nginx(scene, b"x" * 100_000))
    assert len(curl(scene, where, "--cacert", bundle, "URL/", scheme="https")) == 100_000
    assert wrk(scene, f"https://{where}/") > 100
    before = len(node.events("connection.open"))
    count = wrk(scene, f"https://{where}/", "-H", "Connection: close")
    assert count > 50, count
    wait_until(lambda: len(node.events("connection.open")) >= before + count, "as many connections as requests")
    assert not node.events("connection.refused", reason="internal")


@program.case("TLS from the client on")
def pipelined(scene):
    """200 requests in one write, 200 answers in order"""
    _, where, bundle = door(scene, nginx(scene, b"x" * 10))
    with TlsStream.connect(where, client_context(bundle, alpn=["http/1.1"])) as stream:
        stream.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 199 + b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = stream.recv_all()
    assert answer.count(b"HTTP/1.1 200 OK") == 200 and answer.count(b"\r\n\r\nxxxxxxxxxx") == 200


run()
