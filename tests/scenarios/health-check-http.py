"""check = "http": a GET, in clear or over the channel's own TLS; a status from 200 to 399 is up."""
import ssl

from harness import run, server_context, test
from harness.backends import targets, wait_health
from harness.node import channel
from harness.refusals import SERVER, Errand

CHECK = {"check": "http", "interval": "100ms", "timeout": "100ms", "fall": 1, "rise": 1}


class Page:
    """A server with a page whose status the test sets; remembers what it was asked."""

    def __init__(self, scene, context=None):
        self.status = b"200 OK"
        self.requests = []
        self.server = scene.server(self._serve, context)
        self.where = self.server.where

    def _serve(self, stream, conversation):
        request = b""
        while b"\r\n\r\n" not in request:
            data = stream.recv()
            if not data:
                return
            request += data
        self.requests.append(request.decode())
        stream.send(b"HTTP/1.1 " + self.status + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


@test
def plain(scene):
    """the status decides; the request names path and host; other answers are down, with the reason"""
    page = Page(scene)
    node = scene.node("node", channels=[channel(
        "c", listen={"listen": scene.endpoint(), "protect": "none"}, to={"targets": [page.where], "protect": "none"},
        health={**CHECK, "path": "/ready?deep=1", "host": "app.example.org"})])
    wait_health(node, page.where, "up")
    lines = page.requests[0].split("\r\n")
    assert lines[0] == "GET /ready?deep=1 HTTP/1.1" and "Host: app.example.org" in lines, lines
    for status in (b"503 Service Unavailable", b"404 Not Found"):
        page.status = status
        wait_health(node, page.where, "down")
        assert status[:3].decode() in node.events("target.down")[-1]["detail"]
        assert node.events("target.down")[-1]["reason"] == "http-status"
        page.status = b"302 Found"
        wait_health(node, page.where, "up")


@test
def over_tls(scene):
    """over mutual TLS to the target, with its certificate checked; ALPN says http/1.1 even if clients speak h2"""
    domain = scene.domain()
    context = server_context(domain.issue(SERVER), domain.bundle)
    context.set_alpn_protocols(["h2", "http/1.1"])
    page = Page(scene, context)
    errand = Errand(scene, page.where, domain=domain, to={"alpn": ["h2"]},
                    health={**CHECK, "interval": "2s", "timeout": "2s"})
    wait_health(errand.node, page.where, "up")
    assert page.server.conversations[0].alpn == "http/1.1"
    assert isinstance(context, ssl.SSLContext)
    page.status = b"500 Oh"
    wait_health(errand.node, page.where, "down")


@test
def not_http(scene):
    """something that is not HTTP is down: not-http"""
    def ssh(stream, conversation):
        stream.recv()
        stream.send(b"SSH-2.0-OpenSSH_9.2\r\n")
    server = scene.server(ssh)
    node = scene.node("node", channels=[channel(
        "c", listen={"listen": scene.endpoint(), "protect": "none"}, to={"targets": [server.where], "protect": "none"},
        health=CHECK)])
    assert node.wait_event("target.down")["reason"] == "not-http"
    assert targets(node)[server.where]["health"] == "down"


run()
