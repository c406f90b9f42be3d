"""PROXY protocol in: a listed load balancer says who the client is; nobody else may."""
from harness import PlainStream, Refused, TlsStream, channel, client_context, echo, run, test
from harness import proxy_header
from harness.refusals import SERVER


class Door:
    """A plaintext or TLS entrance that listens to proxies from everywhere on loopback, or from nowhere near."""

    def __init__(self, scene, protect, proxy_from=("127.0.0.0/8",), where=None, **options):
        self.server = scene.server(echo)
        self.where = where or scene.endpoint()
        self.domain = scene.domain()
        side = {"listen": self.where, "protect": protect, "proxy_from": list(proxy_from)}
        identities = {}
        if protect == "tls":
            side["identity"] = "server"
            identities["server"] = (self.domain.issue(SERVER), self.domain.bundle)
        self.node = scene.node("door", identities=identities, channels=[
            channel("c", listen=side, to={"targets": [self.server.where], "protect": "none"}, **options)])

    def passes(self, header: bytes, told: str, pieces=1) -> None:
        """A client behind this header gets through, and the log has the address that it tells."""
        opened = len(self.node.events("connection.open"))
        with PlainStream.connect(self.where) as client:
            for at in range(0, len(header), max(1, len(header) // pieces)):
                client.send(header[at:at + max(1, len(header) // pieces)])
            stream = client
            if "server" in self.node_identities():
                stream = TlsStream(client.sock, client_context(self.domain.bundle))
                stream.handshake()
            stream.send(b"hello")
            assert stream.recv_exactly(5) == b"hello"
            own = client.sock.getsockname()
        event = self.node.wait_event("connection.open", count=opened + 1)
        if told:
            assert event["from"] == told, event
            assert not own or event["via"] == f"{own[0]}:{own[1]}", event
        else:
            assert event["from"] == f"{own[0]}:{own[1]}" and event["via"] == "", event

    def node_identities(self):
        return [identity["name"] for identity in self.node.status()["identities"]]

    def refuses(self, sent: bytes, reason) -> dict:
        before, delivered = len(self.node.events("connection.refused")), self.server.application_bytes
        with PlainStream.connect(self.where) as client:
            client.send(sent)
            assert not client.recv()
        event = self.node.wait_event("connection.refused", count=before + 1)
        assert event["reason"] == reason and event["detail"], event
        assert self.server.application_bytes == delivered, "bytes of a refused client were delivered"
        return event


@test
def plaintext(scene):
    """both versions, also in pieces; LOCAL and UNKNOWN leave the proxy's own address"""
    door = Door(scene, "none")
    door.passes(proxy_header.v1(), "192.0.2.7:4711")
    door.passes(proxy_header.v1("2001:db8::7", destination="2001:db8::9"), "[2001:db8::7]:4711")
    door.passes(proxy_header.v2(), "192.0.2.7:4711")
    door.passes(proxy_header.v2("2001:db8::7", destination="2001:db8::9"), "[2001:db8::7]:4711")
    door.passes(proxy_header.v2(tlvs=[(0x04, b"padding"), (0x05, b"an id")]), "192.0.2.7:4711", pieces=1000)
    door.passes(proxy_header.v1(), "192.0.2.7:4711", pieces=1000)
    door.passes(proxy_header.v2(command=0), "")
    door.passes(b"PROXY UNKNOWN\r\n", "")


@test
def tls(scene):
    """the header comes before TLS"""
    door = Door(scene, "tls")
    door.passes(proxy_header.v1(), "192.0.2.7:4711")
    door.passes(proxy_header.v2(), "192.0.2.7:4711", pieces=1000)


@test
def together_with_the_first_bytes(scene):
    """a header and the ClientHello in one segment, the ClientHello cut in its middle"""
    door = Door(scene, "tls")
    for cut in (1000, 100, 3, 0):
        with PlainStream.connect(door.where) as client:
            stream = TlsStream(client.sock, client_context(door.domain.bundle))
            hello = stream.client_hello()
            client.send(proxy_header.v2() + hello[:cut])
            client.send(hello[cut:])
            stream.handshake()
            stream.send(b"hello")
            assert stream.recv_exactly(5) == b"hello"
    assert len(door.node.events("connection.open", **{"from": "192.0.2.7:4711"})) == 4


@test
def server_speaks_first(scene):
    """after the header a plaintext server may speak before the client does"""
    def greets(stream, _):
        stream.send(b"220 ready\r\n")
        stream.recv()
    where = scene.endpoint()
    server = scene.server(greets)
    scene.node("node", channels=[channel("c", listen={"listen": where, "protect": "none",
                                                      "proxy_from": ["127.0.0.0/8"]},
                                         to={"targets": [server.where], "protect": "none"})])
    with PlainStream.connect(where) as client:
        client.send(proxy_header.v1())
        assert client.recv_exactly(11) == b"220 ready\r\n"


@test
def missing_or_wrong(scene):
    """who is listed and says something else is refused, each with its reason; the control passes"""
    for protect in ("none", "tls"):
        door = Door(scene, protect, timeouts={"handshake": "1s"})
        door.refuses(b"GET / HTTP/1.1\r\n\r\n", "proxy-header-missing")
        door.refuses(b"\x16\x03\x01\x02\x00", "proxy-header-missing")
        door.refuses(b"PROXY TCP4 192.0.2.7 198.51.100.9 4711\r\n", "proxy-header-malformed")
        door.refuses(proxy_header.v2()[:12] + b"\x11\x11\x00\x00", "proxy-header-malformed")
        event = door.refuses(b"PROXY TCP4 192.0.2", "handshake-timeout")
        assert "PROXY" in event["detail"], event
        door.passes(proxy_header.v1(), "192.0.2.7:4711")


@test
def from_elsewhere(scene):
    """who is not listed and sends a header is refused; without one it gets in"""
    for protect in ("none", "tls"):
        door = Door(scene, protect, proxy_from=["192.0.2.0/24"])
        for header in (proxy_header.v1(), proxy_header.v2()):
            door.refuses(header + b"hello", "proxy-header-unexpected")
        door.passes(b"", "")


@test
def unix(scene):
    """`unix` is whoever can open the socket"""
    path = f"unix:{scene.path('door')}"
    door = Door(scene, "none", proxy_from=["unix"], where=path)
    with PlainStream.connect(path) as client:
        client.send(proxy_header.v1() + b"hello")
        assert client.recv_exactly(5) == b"hello"
    event = door.node.wait_event("connection.open")
    assert (event["from"], event["via"]) == ("192.0.2.7:4711", "unix"), event


@test
def before_routing(scene):
    """names on one port are told apart behind the header"""
    domain = scene.domain()
    where = scene.endpoint()
    server = scene.server(echo)
    names = ["one.example.org", "two.example.org"]
    node = scene.node("port", identities={name.split(".")[0]: (domain.issue(name), domain.bundle) for name in names}, channels=[
        channel(name.split(".")[0], listen={"listen": where, "protect": "tls", "identity": name.split(".")[0],
                                            "server_names": [name], "proxy_from": ["127.0.0.0/8"]},
                to={"targets": [server.where], "protect": "none"}) for name in names])
    for name in names:
        with PlainStream.connect(where) as client:
            client.send(proxy_header.v2())
            stream = TlsStream(client.sock, client_context(domain.bundle), server_name=name)
            stream.handshake()
            stream.send(b"hello")
            assert stream.recv_exactly(5) == b"hello"
    with PlainStream.connect(where) as client:
        client.send(proxy_header.v2())
        stream = TlsStream(client.sock, client_context(domain.bundle), server_name="three.example.org")
        try:
            stream.handshake()
            raise AssertionError("an unknown name was let in")
        except Refused:
            pass
    event = node.wait_event("connection.refused")
    assert (event["reason"], event["from"]) == ("unknown-name", "192.0.2.7:4711"), event
    assert {e["channel"] for e in node.events("connection.open")} == {"one", "two"}


run()
