"""HTTP/2 through channels: nghttp and h2load in front, nghttpd behind, ALPN h2 wherever there is TLS."""
import os
import re

from harness import TlsStream, channel, client_context, run
from harness.net import split_endpoint
from harness.pair import Pair
from harness.programs import Program
from harness.refusals import SERVER, check_refusal
from harness.web import nginx

program = Program("HTTP/2")
HOST = "server.example.org"
SIZE = 300_000


def nghttpd(scene, credential=None) -> str:
    """Serves `file` of SIZE bytes and sends uploads back; in clear, or with TLS and ALPN h2."""
    where = scene.endpoint()
    address, port = split_endpoint(where)[1]
    scene.write("file", os.urandom(SIZE))
    command = ["nghttpd", "--address", address, "--htdocs", scene.folder, "--echo-upload", "--trailer", "sum: 42"]
    command += [port, credential.key, credential.certificate] if credential else ["--no-tls", port]
    scene.process(command).wait_listening(where)
    return where


def door(scene, target: str, **listen):
    domain, where = scene.domain(), scene.endpoint()
    node = scene.node("door", identities={"server": (domain.issue(SERVER, HOST), domain.bundle)}, workers=2, channels=[
        channel("web", listen={"listen": where, "protect": "tls", "identity": "server", "alpn": ["h2"], **listen},
                to={"targets": [target], "protect": "none"})])
    return node, where, domain


def h2load(scene, url: str, requests: int, clients: int, streams: int) -> str:
    """All requests of h2load must succeed, and bring every byte."""
    client = scene.process(["h2load", "-n", requests, "-c", clients, "-m", streams, f"{url}/file"])
    assert client.wait(60) == 0, client.text
    assert f"{requests} succeeded, 0 failed, 0 errored, 0 timeout" in client.text, client.text
    assert int(re.search(r"\((\d+)\) data", client.text)[1]) == requests * SIZE, client.text
    return client.text


def upload(scene, url: str) -> None:
    """4 MB go up and come back (nghttp may warn first that it does not verify); a trailer comes behind a body."""
    data = os.urandom(4 << 20)
    given = scene.write("given", data)
    client = scene.process(["nghttp", "--data", given, f"{url}/echo"])
    assert client.wait(60) == 0 and client.output.endswith(data), client.text[:300]
    client = scene.process(["nghttp", "--verbose", "--null-out", "--data", given, f"{url}/echo"])
    assert client.wait(60) == 0 and ") sum: 42" in client.text, client.text[-3000:]


@program.case("plain (h2c) -> mutual TLS -> plain (h2c)")
def prior_knowledge(scene):
    """h2load, 16 connections of 20 streams; an upload of 4 MB that comes back with a trailer"""
    path = Pair(scene, target=nghttpd(scene), tap=False, workers=2)
    h2load(scene, f"http://{path.entry}", 1000, 16, 20)
    upload(scene, f"http://{path.entry}")
    for number in range(17):
        path.b.wait_event("connection.closed", count=number + 1)


@program.case("TLS and ALPN h2 from the client on")
def tls_client(scene):
    """h2load and nghttp agree on h2; a client that only has http/1.1 is refused"""
    node, where, domain = door(scene, nghttpd(scene))
    said = h2load(scene, f"https://{where}", 1000, 16, 20)
    assert "Application protocol: h2" in said and "TLS Protocol: TLSv1.3" in said, said
    upload(scene, f"https://{where}")
    assert {event["alpn"] for event in node.events("connection.open")} == {"h2"}
    address, port = split_endpoint(where)[1]
    old = scene.process(["curl", "--silent", "--show-error", "--http1.1", "--cacert", domain.bundle, "--resolve",
                         f"{HOST}:{port}:{address}", f"https://{HOST}:{port}/file"])
    assert old.wait() != 0
    check_refusal(node.wait_event("connection.refused"), "client", "no-shared-alpn")


@program.case("plain (h2c) -> TLS and ALPN h2 of the server's own")
def tls_server(scene):
    """nghttpd with TLS behind `to`: h2 is what the channel offers"""
    domain, where = scene.domain(), scene.endpoint()
    target = nghttpd(scene, domain.issue(SERVER, HOST))
    node = scene.node("errand", channels=[
        channel("web", listen={"listen": where, "protect": "none"},
                to={"targets": [target], "protect": "tls", "trust": domain.bundle, "expect": [HOST], "alpn": ["h2"]})])
    h2load(scene, f"http://{where}", 400, 8, 20)
    upload(scene, f"http://{where}")
    assert {event["alpn"] for event in node.events("connection.open")} == {"h2"}


@program.case("TLS and ALPN h2 from the client on, and again to the server")
def tls_both(scene):
    """curl --http2 and h2load through a channel that ends TLS and begins it again"""
    domain, where = scene.domain(), scene.endpoint()
    issued = domain.issue(SERVER, HOST)
    node = scene.node("node", identities={"server": (issued, domain.bundle)}, channels=[
        channel("web", listen={"listen": where, "protect": "tls", "identity": "server", "alpn": ["h2"]},
                to={"targets": [nghttpd(scene, issued)], "protect": "tls", "trust": domain.bundle, "expect": [HOST],
                    "alpn": ["h2"]})])
    address, port = split_endpoint(where)[1]
    client = scene.process(["curl", "--silent", "--show-error", "--http2", "--cacert", domain.bundle, "--resolve",
                            f"{HOST}:{port}:{address}", "--write-out", "%{http_version} %{size_download}", "--output",
                            scene.path("got"), f"https://{HOST}:{port}/file"])
    assert client.wait() == 0 and client.text == f"2 {SIZE}", client.text
    h2load(scene, f"https://{where}", 400, 8, 20)
    assert {event["alpn"] for event in node.events("connection.open")} == {"h2"}


@program.case("TLS from the client on, one port for two protocols")
def alpn_routes(scene):
    """curl --http2 reaches nghttpd and curl --http1.1 reaches nginx: ALPN chooses the channel"""
    domain, where = scene.domain(), scene.endpoint()
    issued = domain.issue(SERVER, HOST)
    node = scene.node("node", identities={"server": (issued, domain.bundle)}, channels=[
        channel(name, listen={"listen": where, "protect": "tls", "identity": "server", "alpn": [protocol]},
                to={"targets": [target], "protect": "none"})
        for name, protocol, target in (("two", "h2", nghttpd(scene)), ("one", "http/1.1", nginx(scene, b"from nginx")))])
    address, port = split_endpoint(where)[1]

    def curl(version: str, path: str) -> str:
        client = scene.process(["curl", "--silent", "--show-error", version, "--cacert", domain.bundle, "--resolve",
                                f"{HOST}:{port}:{address}", "--write-out", "%{http_version} %{size_download}",
                                "--output", scene.path("got"), f"https://{HOST}:{port}/{path}"])
        assert client.wait() == 0, client.text
        return client.text
    for _ in range(3):
        assert curl("--http2", "file") == f"2 {SIZE}"
        assert curl("--http1.1", "") == "1.1 10"
    assert [e["channel"] for e in node.events("connection.open")] == ["two", "one"] * 3


@program.case("TLS from end to end, passed through by name")
def passed_through(scene):
    """h2load and curl meet nghttpd's own certificate: the node reads the name and no more"""
    domain, where = scene.domain(), scene.endpoint()
    target = nghttpd(scene, domain.issue(SERVER, HOST))
    node = scene.node("node", channels=[
        channel("web", listen={"listen": where, "protect": "passthrough", "server_names": [HOST]},
                to={"targets": [target], "protect": "passthrough"})])
    address, port = split_endpoint(where)[1]
    client = scene.process(["h2load", "-n", 400, "-c", 8, "-m", 20, "--connect-to", where, f"https://{HOST}:{port}/file"])
    assert client.wait(60) == 0 and "400 succeeded, 0 failed, 0 errored" in client.text, client.text
    curl = scene.process(["curl", "--silent", "--show-error", "--http2", "--cacert", domain.bundle, "--resolve",
                          f"{HOST}:{port}:{address}", "--write-out", "%{http_version} %{size_download}", "--output",
                          scene.path("got"), f"https://{HOST}:{port}/file"])
    assert curl.wait() == 0 and curl.text == f"2 {SIZE}", curl.text
    with TlsStream.connect(where, client_context(domain.bundle, alpn=["h2"]), server_name=HOST):
        assert node.status()["sessions"]["open"] == 1
        held = [row["key"] for row in node.status()["exposure"]]
        assert held == ["TLS session keys of 0 connections"], held


run()
