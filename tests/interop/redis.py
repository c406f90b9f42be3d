"""Redis behind a channel: redis-cli and redis-benchmark in front, redis-server behind, and TLS on either side."""
import hashlib
import os

from harness import PlainStream, channel, run, wait_until
from harness.net import split_endpoint
from harness.pair import Pair
from harness.programs import Program
from harness.refusals import CLIENT, SERVER

program = Program("Redis")
THROUGH = "plain -> mutual TLS -> plain"


def redis(scene, *options) -> str:
    """A server without a disk; returns where it listens."""
    where = scene.endpoint()
    address, port = split_endpoint(where)[1]
    ports = ["--port", port] if not options else ["--port", 0, "--tls-port", port]
    scene.process(["redis-server", "--bind", address, "--save", "", "--appendonly", "no", "--protected-mode", "no",
                   "--dir", scene.folder] + ports + list(options)).wait_listening(where)
    return where


def tls(credential, trust) -> list:
    return ["--tls-cert-file", credential.certificate, "--tls-key-file", credential.key, "--tls-ca-cert-file", trust]


def cli(scene, where: str, *words, keep=False, tool="redis-cli"):
    address, port = split_endpoint(where)[1]
    client = scene.process([tool, "-h", address, "-p", port, *words])
    if keep:
        return client
    client.close_input()
    assert client.wait(60) == 0, client.text
    return client.text.strip()


@program.case(THROUGH)
def pipelines(scene):
    """50,000 commands in one pipe, and 50 clients with 16 commands under way each"""
    path = Pair(scene, target=redis(scene), tap=False, workers=2)
    pipe = cli(scene, path.entry, "--pipe", keep=True)
    words = [(b"SET", b"key-%d" % number, b"value-%d" % number) for number in range(50_000)]
    pipe.send(b"".join(b"*3\r\n" + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in command) for command in words))
    pipe.close_input()
    assert pipe.wait(60) == 0 and "errors: 0, replies: 50000" in pipe.text, pipe.text
    assert cli(scene, path.entry, "DBSIZE") == "50000"
    assert cli(scene, path.entry, "GET", "key-49999") == "value-49999"
    out = cli(scene, path.entry, "-n", 50000, "-c", 50, "-P", 16, "-t", "set,get,lpush", "-q", tool="redis-benchmark")
    assert out.count("requests per second") == 3 and "rror" not in out, out


@program.case(THROUGH)
def publish(scene):
    """pub/sub: a subscriber hears 1,000 messages in order, and one after silence"""
    path = Pair(scene, target=redis(scene), tap=False, timeouts={"handshake": "500ms", "connect": "500ms"})
    subscriber = cli(scene, path.entry, "SUBSCRIBE", "news", keep=True)
    subscriber.wait_for("subscribe\nnews\n1")
    with PlainStream.connect(path.entry) as speaker:
        speaker.send(b"".join(b"PUBLISH news m%d\r\n" % number for number in range(1000)))
        assert speaker.recv_exactly(4000) == b":1\r\n" * 1000
        speaker.send(b"BLPOP nothing 1\r\n")  # a second in which nothing is said
        assert speaker.recv_exactly(5) == b"*-1\r\n"
        speaker.send(b"PUBLISH news last\r\n")
        subscriber.wait_for("message\nnews\nlast")
    heard = [line for line in subscriber.text.split("\n") if line.startswith("m") and line != "message"]
    assert heard == [f"m{number}" for number in range(1000)], heard[:10]


@program.case(THROUGH)
def big_values(scene):
    """a value of 64 MB goes in and comes out as it was"""
    path = Pair(scene, target=redis(scene), tap=False)
    value = os.urandom(1 << 20) * 64
    client = cli(scene, path.entry, "-x", "SET", "big", keep=True)
    client.send(value)
    client.close_input()
    assert client.wait(60) == 0 and client.text.strip() == "OK", client.text[-200:]
    with PlainStream.connect(path.entry) as stream:
        stream.send(b"GET big\r\n")
        assert stream.recv_exactly(11) == b"$67108864\r\n"
        assert hashlib.sha256(stream.recv_exactly(len(value))).digest() == hashlib.sha256(value).digest()
        assert stream.recv_exactly(2) == b"\r\n"


@program.case("mutual TLS from the client on")
def tls_client(scene):
    """redis-cli --tls with a certificate of its own; without it, it is refused"""
    domain, where = scene.domain(), scene.endpoint()
    node = scene.node("door", identities={"server": (domain.issue(SERVER, "cache.example.org"), domain.bundle)},
                      channels=[channel("cache", listen={"listen": where, "protect": "mutual-tls", "identity": "server",
                                                         "allow": [CLIENT]},
                                        to={"targets": [redis(scene)], "protect": "none"})])
    mine = domain.issue(CLIENT)
    options = ["--tls", "--cacert", domain.bundle, "--sni", "cache.example.org"]
    assert cli(scene, where, *options, "--cert", mine.certificate, "--key", mine.key, "INCR", "visits") == "1"
    bare = cli(scene, where, *options, "INCR", "visits", keep=True)
    bare.close_input()
    assert bare.wait() != 0, bare.text
    assert node.wait_event("connection.refused")["reason"] == "no-certificate"


@program.case("plain -> mutual TLS of the server's own")
def tls_server(scene):
    """redis-server with tls-port and tls-auth-clients behind `to`"""
    domain, where = scene.domain(), scene.endpoint()
    target = redis(scene, *tls(domain.issue(SERVER, "cache.example.org"), domain.bundle))
    node = scene.node("errand", identities={"client": (domain.issue(CLIENT), domain.bundle)}, channels=[
        channel("cache", listen={"listen": where, "protect": "none"},
                to={"targets": [target], "protect": "mutual-tls", "identity": "client", "expect": [SERVER]})])
    assert cli(scene, where, "SET", "a", "b") == "OK"
    assert cli(scene, where, "GET", "a") == "b"
    assert wait_until(lambda: node.events("connection.open", protocol="TLSv1.3"), "the channel in the log")


run()
