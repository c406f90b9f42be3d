"""HUP while traffic runs: no connection is dropped, and new ones follow the new configuration."""
import datetime
import os
import threading

from cryptography import x509

from harness import PlainStream, TlsStream, answer_with, channel, client_context, echo, run, test, wait_until
from harness.net import listening
from harness.pair import Pair
from harness.refusals import SERVER


@test
def no_connection_dropped(scene):
    """five reloads under load: every exchange succeeds, and an open connection lives through all of them"""
    pair = Pair(scene, workers=2)
    failures, done = [], threading.Event()
    exchanges = [0]

    def load():
        while not done.is_set():
            try:
                pair.exchange(b"x" * 5000)
                exchanges[0] += 1
            except Exception as error:
                failures.append(error)
    threads = [threading.Thread(target=load) for _ in range(3)]
    with pair.connect() as stream:
        stream.send(b"old")
        stream.recv_exactly(3)
        for thread in threads:
            thread.start()
        for _ in range(5):
            for node in (pair.b, pair.a):
                assert node.reload()["event"] == "node.reloaded"
        reached = exchanges[0]
        wait_until(lambda: exchanges[0] > reached + 5, "traffic after the reloads")
        done.set()
        for thread in threads:
            thread.join()
        stream.send(b"still old")
        assert stream.recv_exactly(9) == b"still old"
    assert not failures, f"{len(failures)} exchanges failed: {failures[0]!r}"
    for node in (pair.a, pair.b):
        assert not node.events("worker.died")


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
