"""HUP while traffic runs: no connection is dropped, and new ones follow the new configuration."""
import datetime
import os
import re

from cryptography import x509

from harness import PlainStream, TlsStream, answer_with, channel, client_context, echo, run, test, wait_until
from harness.load import Load
from harness.net import listening
from harness.pair import Pair
from harness.refusals import CLIENT, SERVER

ROUNDS = 12  # each reloads both nodes once


@test
def nothing_fails(scene):
    """reloads of config, certificates and keys, trust bundles and policy under load: no connection fails, at either node"""
    pair = Pair(scene, workers=2)
    other = scene.domain("other.example")
    context = client_context(pair.domain.bundle, pair.client)
    with open(pair.domain.bundle) as file:
        own_roots = file.read()
    with open(other.bundle) as file:
        more_roots = file.read()

    def full_handshake():
        """a client of its own at node B: the key signs for every visit"""
        with TlsStream.connect(pair.inner, context) as stream:
            stream.send(b"x" * 1000)
            assert len(stream.recv_exactly(1000)) == 1000
            assert not stream.resumed

    def through_both():
        pair.exchange(b"x" * 5000)

    def kept(stream):
        stream.send(b"y" * 1000)
        assert stream.recv_exactly(1000) == b"y" * 1000

    def bulk(stream):
        stream.send(b"z" * 200_000)
        assert stream.recv_exactly(200_000) == b"z" * 200_000
    load = Load({"full handshakes": [full_handshake] * 3, "channel connections": [through_both] * 2})
    kept_streams = [pair.connect() for _ in range(4)]
    load.add("requests on kept connections", [lambda each=each: kept(each) for each in kept_streams[:3]])
    load.add("bulk transfers of 200 kB", [lambda: bulk(kept_streams[3])])
    reloads = {"config": 0, "certificate": 0, "trust bundle": 0, "policy": 0}
    text = {}
    for node in (pair.a, pair.b):
        with open(node.config) as file:
            text[node] = file.read()
    with load:
        for turn in range(ROUNDS):
            what = list(reloads)[turn % len(reloads)]
            for node, credential in ((pair.b, pair.server_credential), (pair.a, pair.client)):
                if what == "config":
                    node.write_config(toml=text[node] + f"timeouts = {{ idle = \"{turn + 30}m\" }}\n")
                elif what == "certificate":
                    new = pair.domain.issue(*credential.names)
                    os.replace(new.key, credential.key)
                    os.replace(new.certificate, credential.certificate)
                elif what == "trust bundle":
                    with open(pair.domain.bundle + ".new", "w") as file:
                        file.write(own_roots + (more_roots if turn % 8 < 4 else ""))
                    os.replace(pair.domain.bundle + ".new", pair.domain.bundle)
                else:
                    word = "allow" if node is pair.b else "expect"
                    name = CLIENT if node is pair.b else SERVER
                    text[node] = re.sub(rf"{word} = \[[^]]*\]", f'{word} = ["{name}", "spiffe://example.org/{turn}"]', text[node])
                    node.write_config(toml=text[node])
                load.let_some_pass()
                event = node.reload()
                while event["event"] != "node.reloaded" and what == "certificate":
                    event = node.reload()  # the node looked between the key and the certificate
                assert event["event"] == "node.reloaded", event
                reloads[what] += 1
        load.let_some_pass()
    for stream in kept_streams:
        kept(stream)
        stream.close()
    total = sum(reloads.values())
    print(f"      {total} reloads: " + ", ".join(f"{count} of {what}" for what, count in reloads.items()))
    print("      " + ", ".join(f"{count} {name}" for name, count in load.counts().items()) + f": {len(load.failures)} failed")
    assert total >= 20 and not load.failures, f"{len(load.failures)} failed: {load.failures[:3]!r}"
    for node in (pair.a, pair.b):
        assert not node.events("worker.died") and not node.events("connection.refused")


@test
def new_certificate(scene):
    """a renewed certificate is shown from the reload on"""
    domain = scene.domain()
    old = domain.issue(SERVER, "old.example.org")
    new = domain.issue(SERVER, "new.example.org", ends=datetime.timedelta(hours=3))
    server = scene.server(echo)
    where = scene.endpoint()
    channels = [channel("c", listen={"listen": where, "protect": "tls", "identity": "server"},
                        to={"targets": [server.where], "protect": "none"})]
    node = scene.node("node", identities={"server": (old, domain.bundle)}, channels=channels)
    assert shown(where, domain) == old.x509.serial_number
    node.write_config({"server": (new, domain.bundle)}, channels)
    assert node.reload()["event"] == "node.reloaded"
    assert shown(where, domain) == new.x509.serial_number


@test
def renewed_files(scene):
    """a certificate and key that are replaced in place are noticed without a signal"""
    domain = scene.domain()
    old = domain.issue(SERVER)
    server = scene.server(echo)
    where = scene.endpoint()
    node = scene.node("node", identities={"server": (old, domain.bundle)}, channels=[channel(
        "c", listen={"listen": where, "protect": "tls", "identity": "server"},
        to={"targets": [server.where], "protect": "none"})])
    assert shown(where, domain) == old.x509.serial_number
    new = domain.issue(SERVER)
    os.replace(new.key, old.key)
    os.replace(new.certificate, old.certificate)
    node.wait_event("node.reloaded")
    assert shown(where, domain) == new.x509.serial_number


@test
def new_channel(scene):
    """a channel that is new in the file listens after the reload, one that is gone no longer does"""
    server = scene.server(answer_with(b"!"))
    first, second = scene.endpoint(), scene.endpoint()

    def plain(name, where):
        return channel(name, listen={"listen": where, "protect": "none"},
                       to={"targets": [server.where], "protect": "none"})
    node = scene.node("node", channels=[plain("first", first)])
    with PlainStream.connect(first) as old:
        old.send(b"?")
        assert old.recv_exactly(1) == b"!"
        node.write_config({}, [plain("second", second)])
        assert node.reload()["event"] == "node.reloaded"
        with PlainStream.connect(second) as stream:
            stream.send(b"?")
            assert stream.recv_exactly(1) == b"!"
        wait_until(lambda: not listening(first), "the old channel to stop listening")
        old.send(b"?")  # what was open lives on
        assert old.recv_exactly(1) == b"!"


def shown(where, domain) -> int:
    with TlsStream.connect(where, client_context(domain.bundle)) as stream:
        return x509.load_der_x509_certificate(stream.tls.getpeercert(binary_form=True)).serial_number


run()
