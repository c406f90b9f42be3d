"""Passthrough: TLS goes through a channel untouched, to where its server name leads, beside names that end here."""
import hashlib
import os

from cryptography import x509

from harness import PlainStream, TlsStream, channel, client_context, run, server_context, test
from harness.refusals import SERVER
from harness.servers import answer_with, digest_after_eof, echo


class Port:
    """shop.example.org ends at the node; far.example.org is passed through to a TLS server with a key of its own."""

    def __init__(self, scene, behaviour=echo):
        self.domain = scene.domain()
        self.where = scene.endpoint()
        here, self.there = self.domain.issue("shop.example.org"), self.domain.issue("far.example.org")
        self.near = scene.server(answer_with(b"near"))
        self.far = scene.server(behaviour, server_context(self.there, alpn=["h2"]))
        self.node = scene.node("port", identities={"shop": (here, self.domain.bundle)}, channels=[
            channel("shop", listen={"listen": self.where, "protect": "tls", "identity": "shop",
                                    "server_names": ["shop.example.org"]},
                    to={"targets": [self.near.where], "protect": "none"}),
            channel("far", listen={"listen": self.where, "protect": "passthrough",
                                   "server_names": ["far.example.org"]},
                    to={"targets": [self.far.where], "protect": "passthrough"})])

    def connect(self, name, alpn=()):
        return TlsStream.connect(self.where, client_context(self.domain.bundle, alpn=alpn), server_name=name)


@test
def beside_a_terminated_name(scene):
    """each name shows its own server's certificate; the log has name and protocols of what is passed through"""
    port = Port(scene)
    with port.connect("shop.example.org") as stream:
        stream.send(b"?")
        assert stream.recv() == b"near"
    with port.connect("far.example.org", ["h2", "http/1.1"]) as stream:
        shown = x509.load_der_x509_certificate(stream.tls.getpeercert(binary_form=True))
        assert shown.serial_number == port.there.x509.serial_number
        assert stream.tls.selected_alpn_protocol() == "h2"
        stream.send(b"hello")
        assert stream.recv_exactly(5) == b"hello"
        stream.close_write()
        assert not stream.recv()  # what is left unread would turn our end into a reset
    opened = port.node.wait_event("connection.open", channel="far")
    assert (opened["sni"], opened["alpn"], opened["client"]) == ("far.example.org", "h2 http/1.1", ""), opened
    assert port.node.wait_event("connection.closed", channel="far")["how"] == "closed"
    keys = [row["key"] for row in port.node.status()["exposure"]]
    assert not any("far" in key for key in keys), "no key is involved"


@test
def much(scene):
    """32 MiB come back as they went"""
    port = Port(scene)
    data = os.urandom(1 << 20)
    with port.connect("far.example.org") as stream:
        for _ in range(32):
            stream.send(data)
            assert hashlib.sha256(stream.recv_exactly(len(data))).digest() == hashlib.sha256(data).digest()
    port.node.wait_event("connection.closed", channel="far")
    row = next(row for row in port.node.status()["channels"] if row["name"] == "far")
    assert row["bytes_in"] > 32 << 20 and row["bytes_out"] > 32 << 20, row


@test
def half_close(scene):
    """the client's FIN reaches the target, which still answers: not a byte is added or missing"""
    domain = scene.domain()
    where = scene.endpoint()
    server = scene.server(digest_after_eof)  # sees raw bytes
    node = scene.node("node", channels=[channel("far", listen={"listen": where, "protect": "passthrough"},
                                                to={"targets": [server.where], "protect": "passthrough"})])
    hello = TlsStream(None, client_context(domain.bundle), server_name="far.example.org").client_hello()
    with PlainStream.connect(where) as client:
        client.send(hello + b"and more")
        client.close_write()
        assert client.recv_all().decode() == hashlib.sha256(hello + b"and more").hexdigest()
    assert node.wait_event("connection.closed")["how"] == "closed"


@test
def resets(scene):
    """a target that is gone in the middle is no proper end for the client"""
    port = Port(scene)
    stream = port.connect("far.example.org")
    stream.send(b"hello")
    assert stream.recv_exactly(5) == b"hello"
    port.node.wait_event("connection.open", channel="far")
    stream.sock.close()
    assert port.far.conversation().ended in ("truncated", "reset")


@test
def through_two_nodes(scene):
    """a node passes on what another one ends, with mutual TLS between client and the second"""
    domain = scene.domain()
    back, front = scene.endpoint(), scene.endpoint()
    server = scene.server(echo)
    client = domain.issue("spiffe://example.org/client")
    scene.node("back", identities={"server": (domain.issue(SERVER), domain.bundle)}, channels=[
        channel("c", listen={"listen": back, "protect": "mutual-tls", "identity": "server", "allow": ["any"]},
                to={"targets": [server.where], "protect": "none"})])
    scene.node("front", channels=[channel("p", listen={"listen": front, "protect": "passthrough"},
                                          to={"targets": [back], "protect": "passthrough"})])
    with TlsStream.connect(front, client_context(domain.bundle, client)) as stream:
        stream.send(b"hello")
        assert stream.recv_exactly(5) == b"hello"


run()
