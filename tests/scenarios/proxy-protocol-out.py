"""PROXY protocol out: the target learns who the client is, before anything else and also before TLS."""
from harness import PlainStream, TlsStream, channel, client_context, run, server_context, test
from harness import proxy_header
from harness.refusals import CLIENT, SERVER


class Told:
    """A server that takes a header off each connection, and answers what follows it; TLS with `context`."""

    def __init__(self, scene, context=None):
        self.headers: list[proxy_header.Header] = []

        def behaviour(stream, conversation):
            self.headers.append(proxy_header.read(stream))
            if context:
                stream = TlsStream(stream.sock, context, server_side=True)
                stream.handshake()
            while data := stream.recv():
                conversation.take(data)
                stream.send(data)
        self.server = scene.server(behaviour)


def say(stream) -> None:
    stream.send(b"hello")
    assert stream.recv_exactly(5) == b"hello"


@test
def plaintext(scene):
    """both versions: the client's address, and the one that it connected to"""
    for version in ("v1", "v2"):
        told = Told(scene)
        where = scene.endpoint()
        scene.node("node", channels=[channel("c", listen={"listen": where, "protect": "none"},
                                             to={"targets": [told.server.where], "protect": "none",
                                                 "proxy_protocol": version})])
        with PlainStream.connect(where) as stream:
            say(stream)
            host, port = stream.sock.getsockname()
        header = told.headers[0]
        assert f"v{header.version}" == version
        assert (header.source, header.destination) == (f"{host}:{port}", where), header
        assert not header.tlvs, header


@test
def what_tls_found_out(scene):
    """version, cipher, SNI, ALPN, common name and verified names; in a resumed session too"""
    domain = scene.domain()
    told = Told(scene)
    where = scene.endpoint()
    client = domain.issue(CLIENT, "me.example.org", "192.0.2.1", common_name="Client Number One")
    node = scene.node("node", identities={"server": (domain.issue(SERVER, "shop.example.org"), domain.bundle)}, channels=[
        channel("c", listen={"listen": where, "protect": "mutual-tls", "identity": "server", "allow": [CLIENT],
                             "alpn": ["h2", "http/1.1"]},
                to={"targets": [told.server.where], "protect": "none", "proxy_protocol": "v2"})])
    node.wait_for_tickets()
    context = client_context(domain.bundle, client, alpn=["http/1.1"])
    session = None
    for bits in (7, 5):  # SSL, certificate in this session; and on this connection
        with TlsStream.connect(where, context, server_name="shop.example.org", session=session) as stream:
            say(stream)
            session = stream.session
        header = told.headers[-1]
        assert header.text(proxy_header.AUTHORITY) == "shop.example.org", header
        assert header.text(proxy_header.ALPN) == "http/1.1", header
        assert header.text(proxy_header.VERSION) == "TLSv1.3", header
        assert header.text(proxy_header.CIPHER) == stream.tls.cipher()[0], header
        assert header.text(proxy_header.CN) == "Client Number One", header
        assert (header.client_bits, header.verify) == (bits, 0), header
        assert header.text(proxy_header.SPIFFE) == CLIENT, header
        assert header.text(proxy_header.DNS) == "me.example.org", header
        assert header.text(proxy_header.IP) == "192.0.2.1", header


@test
def without_a_client_certificate(scene):
    """TLS alone: no name, and `verify` says that nothing was verified"""
    domain = scene.domain()
    told = Told(scene)
    where = scene.endpoint()
    scene.node("node", identities={"server": (domain.issue(SERVER), domain.bundle)}, channels=[
        channel("c", listen={"listen": where, "protect": "tls", "identity": "server"},
                to={"targets": [told.server.where], "protect": "none", "proxy_protocol": "v2"})])
    with TlsStream.connect(where, client_context(domain.bundle)) as stream:
        say(stream)
    header = told.headers[0]
    assert (header.client_bits, header.verify) == (1, 1), header
    assert header.text(proxy_header.VERSION) == "TLSv1.3"
    for kind in (proxy_header.CN, proxy_header.SPIFFE, proxy_header.AUTHORITY, proxy_header.ALPN):
        assert kind not in header.tlvs, header


@test
def before_tls(scene):
    """the header is in clear, TLS to the target begins behind it"""
    domain = scene.domain()
    told = Told(scene, server_context(domain.issue(SERVER), domain.bundle))
    where = scene.endpoint()
    scene.node("node", identities={"client": (domain.issue(CLIENT), domain.bundle)}, channels=[
        channel("c", listen={"listen": where, "protect": "none"},
                to={"targets": [told.server.where], "protect": "mutual-tls", "identity": "client",
                    "expect": [SERVER], "proxy_protocol": "v2"})])
    with PlainStream.connect(where) as stream:
        say(stream)
        host, port = stream.sock.getsockname()
    assert told.headers[0].source == f"{host}:{port}"


@test
def passed_on(scene):
    """what a header in front said is said to the target: a chain of proxies keeps the client's address"""
    told = Told(scene)
    where = scene.endpoint()
    scene.node("node", channels=[channel("c", listen={"listen": where, "protect": "none", "proxy_from": ["127.0.0.0/8"]},
                                         to={"targets": [told.server.where], "protect": "none",
                                             "proxy_protocol": "v1"})])
    with PlainStream.connect(where) as stream:
        stream.send(proxy_header.v2("2001:db8::7", destination="2001:db8::9"))
        say(stream)
    assert (told.headers[0].source, told.headers[0].destination) == ("2001:db8::7:4711", "2001:db8::9:443")


@test
def passthrough(scene):
    """the header comes before the client's own TLS, with the name that it asked for"""
    domain = scene.domain()
    told = Told(scene, server_context(domain.issue("far.example.org")))
    where = scene.endpoint()
    scene.node("node", channels=[channel("c", listen={"listen": where, "protect": "passthrough"},
                                         to={"targets": [told.server.where], "protect": "passthrough",
                                             "proxy_protocol": "v2"})])
    with TlsStream.connect(where, client_context(domain.bundle), server_name="far.example.org") as stream:
        say(stream)
    header = told.headers[0]
    assert header.text(proxy_header.AUTHORITY) == "far.example.org", header
    assert proxy_header.SSL not in header.tlvs, "TLS does not end here"


@test
def a_client_on_a_unix_socket(scene):
    """has no address to tell"""
    for version in ("v1", "v2"):
        told = Told(scene)
        where = f"unix:{scene.path('in-' + version)}"
        scene.node("node", channels=[channel("c", listen={"listen": where, "protect": "none"},
                                             to={"targets": [told.server.where], "protect": "none",
                                                 "proxy_protocol": version})])
        with PlainStream.connect(where) as stream:
            say(stream)
        assert told.headers[0].source == "", told.headers


run()
