"""One port, several channels: the server name and the protocols of a client (SNI, ALPN) choose, and nobody guesses."""
from cryptography import x509

from harness import PlainStream, Refused, TlsStream, Truncated, answer_with, channel, client_context, run, test
from harness.refusals import CLIENT


class Port:
    """A node with one address; each channel has an identity of its own name and a server that answers with that name."""

    def __init__(self, scene, **channels):
        self.domain = scene.domain()
        self.where = scene.endpoint()
        self.servers = {name: scene.server(answer_with(name.encode())) for name in channels}
        made, identities = [], {}
        for name, side in channels.items():
            names = [text.replace("*", "any") for text in side.get("server_names", [])] or [f"{name}.example.net"]
            identities[name] = (self.domain.issue(*names), self.domain.bundle)
            made.append(channel(name, listen={"listen": self.where, "protect": "tls", "identity": name, **side},
                                to={"targets": [self.servers[name].where], "protect": "none"}))
        self.serial = {credential.x509.serial_number: name for name, (credential, _) in identities.items()}
        self.node = scene.node("port", identities=identities, channels=made)

    def reaches(self, name=None, alpn=(), credential=None) -> str:
        """The channel that a client with this name and these protocols gets to; the certificate is that channel's."""
        context = client_context(self.domain.bundle, credential, alpn=alpn)
        with TlsStream.connect(self.where, context, server_name=name) as stream:
            shown = x509.load_der_x509_certificate(stream.tls.getpeercert(binary_form=True)).serial_number
            stream.send(b"who are you?")
            answer = stream.recv().decode()
        assert self.serial[shown] == answer, f"the certificate of {self.serial[shown]} led to {answer}"
        return answer

    def refuses(self, alert, reason, name=None, alpn=()) -> None:
        before = len(self.node.events("connection.refused"))
        try:
            TlsStream.connect(self.where, client_context(self.domain.bundle, alpn=alpn), server_name=name)
            raise AssertionError("the client was let in")
        except Refused as refused:
            assert alert in str(refused).replace("_", " ").lower(), refused
        event = self.node.wait_event("connection.refused", count=before + 1)
        assert (event["reason"], event["sni"], event["alpn"]) == (reason, name or "", " ".join(alpn)), event
        assert event["listen"] == self.where and event["side"] == "client" and event["channel"] == "", event


@test
def by_name(scene):
    """exact before wildcard before default, whatever the order in the file; names have no case"""
    port = Port(scene, all={}, wild={"server_names": ["*.example.org"]},
                shop={"server_names": ["shop.example.org", "www.example.org"]})
    assert port.reaches("shop.example.org") == "shop"
    assert port.reaches("WWW.Example.org") == "shop"
    assert port.reaches("other.example.org") == "wild"
    assert port.reaches("a.b.example.org") == "all"
    assert port.reaches("example.org") == "all"
    assert port.reaches(None) == "all", "no name: the default"
    opened = port.node.wait_event("connection.open", count=6)
    assert opened["channel"] == "all" and opened["sni"] == "", opened


@test
def by_protocol(scene):
    """of the channels of a name, the first that shares a protocol; then the one without"""
    port = Port(scene, http2={"server_names": ["shop.example.org"], "alpn": ["h2"]},
                http={"server_names": ["shop.example.org"], "alpn": ["http/1.1", "h2"]},
                rest={"server_names": ["mail.example.org"]},
                imap={"server_names": ["mail.example.org"], "alpn": ["imap"]})
    assert port.reaches("shop.example.org", ["http/1.1", "h2"]) == "http2"
    assert port.reaches("shop.example.org", ["http/1.1"]) == "http"
    assert port.reaches("shop.example.org") == "http2", "who offers nothing gets the first"
    assert port.reaches("mail.example.org", ["imap"]) == "imap"
    assert port.reaches("mail.example.org", ["pop3"]) == "rest"
    port.refuses("no application protocol", "no-shared-alpn", "shop.example.org", ["imap"])


@test
def unknown_names(scene):
    """without a default an unknown name, and none, get the alert unrecognized_name; the log has the name"""
    port = Port(scene, shop={"server_names": ["shop.example.org"]}, mail={"server_names": ["mail.example.org"]})
    assert port.reaches("shop.example.org") == "shop"
    port.refuses("unrecognized name", "unknown-name", "evil.example.org", ["h2"])
    port.refuses("unrecognized name", "unknown-name", "example.org")
    port.refuses("unrecognized name", "no-name")
    assert port.reaches("mail.example.org") == "mail"
    assert not any(server.application_bytes for server in port.servers.values()
                   if server not in (port.servers["shop"], port.servers["mail"]))


@test
def each_with_its_policy(scene):
    """mutual TLS for one name beside TLS for another: the client certificate is asked for by the one alone"""
    port = Port(scene, open={"server_names": ["open.example.org"]},
                closed={"server_names": ["closed.example.org"], "protect": "mutual-tls", "allow": [CLIENT]})
    assert port.reaches("open.example.org") == "open"
    assert port.reaches("closed.example.org", credential=port.domain.issue(CLIENT)) == "closed"
    try:
        port.reaches("closed.example.org")
    except (Refused, Truncated, OSError):
        pass
    else:
        raise AssertionError("a client without certificate was let in")
    event = port.node.wait_event("connection.refused")
    assert (event["channel"], event["reason"]) == ("closed", "no-certificate"), event


@test
def not_resumed_elsewhere(scene):
    """a session of one channel is not resumed in another of the same port"""
    port = Port(scene, one={"server_names": ["one.example.org"]}, two={"server_names": ["two.example.org"]})
    port.node.wait_for_tickets()
    context = client_context(port.domain.bundle)

    def visit(name, session=None):
        with TlsStream.connect(port.where, context, server_name=name, session=session) as stream:
            stream.send(b"?")
            stream.recv()
            return stream.session, stream.resumed
    session, _ = visit("one.example.org")
    assert visit("one.example.org", session)[1], "the control: in its own channel it is resumed"
    assert not visit("two.example.org", session)[1]


@test
def not_resumed_past_a_policy(scene):
    """nor does a session of a channel without client certificates open one that asks for them, with the same identity"""
    port = Port(scene, open={"server_names": ["open.example.org"]},
                closed={"server_names": ["closed.example.org"], "protect": "mutual-tls", "allow": [CLIENT],
                        "identity": "open"})
    port.node.wait_for_tickets()
    context = client_context(port.domain.bundle)
    with TlsStream.connect(port.where, context, server_name="open.example.org") as stream:
        stream.send(b"?")
        assert stream.recv() == b"open"
        session = stream.session
    try:
        with TlsStream.connect(port.where, context, server_name="closed.example.org", session=session) as stream:
            stream.send(b"?")
            answer = stream.recv()
    except (Refused, Truncated, OSError):
        answer = b""
    assert not answer, answer
    event = port.node.wait_event("connection.refused")
    assert (event["channel"], event["reason"]) == ("closed", "no-certificate"), event


@test
def malformed(scene):
    """what is no ClientHello gets decode_error, what is no TLS nothing at all; neither harms the next client"""
    port = Port(scene, shop={"server_names": ["shop.example.org"]}, mail={"server_names": ["mail.example.org"]})
    hello = TlsStream(None, client_context(port.domain.bundle), server_name="shop.example.org").client_hello()
    broken = hello[:43] + b"\xff" + hello[44:]  # a session id of 255 bytes
    for sent, received, reason in ((broken, bytes.fromhex("15030300020232"), "malformed-hello"),
                                   (b"GET / HTTP/1.1\r\n\r\n", b"", "not-tls"), (b"", b"", "protocol-error")):
        before = len(port.node.events("connection.refused"))
        with PlainStream.connect(port.where) as stream:
            stream.send(sent)
            if not sent:
                stream.close_write()
            assert stream.recv_all() == received
        event = port.node.wait_event("connection.refused", count=before + 1)
        assert event["reason"] == reason, event
    assert port.reaches("mail.example.org") == "mail"


@test
def in_pieces(scene):
    """a ClientHello that comes byte by byte, or in records of 40 bytes, is read like another"""
    port = Port(scene, shop={"server_names": ["shop.example.org"]}, mail={"server_names": ["mail.example.org"]})
    for cut in ("segments", "records"):
        with PlainStream.connect(port.where) as client:
            stream = TlsStream(client.sock, client_context(port.domain.bundle), server_name="mail.example.org")
            hello = stream.client_hello()
            if cut == "records":
                pieces = [hello[5:][at:at + 40] for at in range(0, len(hello) - 5, 40)]
                client.send(b"".join(b"\x16\x03\x01" + len(piece).to_bytes(2, "big") + piece for piece in pieces))
            else:
                for at in range(len(hello)):
                    client.send(hello[at:at + 1])
            stream.handshake()
            stream.send(b"?")
            assert stream.recv() == b"mail"


run()
