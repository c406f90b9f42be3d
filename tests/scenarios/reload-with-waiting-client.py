"""A client that was accepted before a reload and speaks after it meets what is in force when it speaks."""
import os

from cryptography import x509

from harness import PlainStream, TlsStream, channel, client_context, echo, run, test, wait_until
from harness.refusals import SERVER


def door(scene, **options):
    domain = scene.domain()
    server = scene.server(echo)
    where = scene.endpoint()
    old = domain.issue(SERVER)
    channels = [channel("c", listen={"listen": where, "protect": "tls", "identity": "server"},
                        to={"targets": [server.where], "protect": "none"}, **options)]
    node = scene.node("node", identities={"server": (old, domain.bundle)}, channels=channels, workers=1)
    return domain, where, old, channels, node


def waiting(node, count):
    """`count` clients are accepted, and have said nothing."""
    wait_until(lambda: node.status()["channels"][0]["handshaking"] == count, f"{count} waiting clients")


@test
def new_key(scene):
    """certificate and key are replaced while clients wait: their handshakes succeed, with the new certificate"""
    domain, where, old, _, node = door(scene)
    clients = [PlainStream.connect(where) for _ in range(3)]
    waiting(node, 3)
    new = domain.issue(SERVER)
    os.replace(new.key, old.key)
    os.replace(new.certificate, old.certificate)
    node.wait_event("node.reloaded")
    for client in clients:
        stream = TlsStream(client.sock, client_context(domain.bundle))
        stream.handshake()
        shown = x509.load_der_x509_certificate(stream.tls.getpeercert(binary_form=True))
        assert shown.serial_number == new.x509.serial_number
        stream.send(b"hello")
        assert stream.recv_exactly(5) == b"hello"
    assert not node.events("connection.refused")


@test
def half_a_first_record(scene):
    """the same when the first three bytes came before the reload"""
    domain, where, old, _, node = door(scene)
    client = PlainStream.connect(where)
    stream = TlsStream(client.sock, client_context(domain.bundle))
    hello = stream.client_hello()
    client.send(hello[:3])
    waiting(node, 1)
    new = domain.issue(SERVER)
    os.replace(new.key, old.key)
    os.replace(new.certificate, old.certificate)
    node.wait_event("node.reloaded")
    client.send(hello[3:])
    stream.handshake()
    stream.send(b"hello")
    assert stream.recv_exactly(5) == b"hello"
    assert not node.events("connection.refused")


@test
def gone(scene):
    """the address left the config: the client is turned away, with a reason"""
    domain, where, old, channels, node = door(scene)
    client = PlainStream.connect(where)
    waiting(node, 1)
    elsewhere = channel("other", listen={"listen": scene.endpoint(), "protect": "tls", "identity": "server"},
                        to=channels[0]["to"])
    node.write_config({"server": (old, domain.bundle)}, [elsewhere])
    assert node.reload()["event"] == "node.reloaded"
    client.send(b"\x16\x03\x01\x00\x10")
    event = node.wait_event("connection.refused")
    assert event["reason"] == "no-channel" and event["listen"] == where, event


run()
