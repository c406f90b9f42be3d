"""Perfect forward secrecy: a recorded session stays closed to somebody who later gets both sides' private keys.

Control: a static-RSA TLS 1.2 session between two openssl processes, recorded the same way and given to the same
tool with the same kind of key, is read in full: so the tool would read ours if it could be read that way.
"""
from ssl import TLSVersion

from harness import Scene, TlsStream, client_context, run, test
from harness.capture import decrypt, handshake_facts, write_pcap
from harness.pair import Pair
from harness.tap import Tap

MARKER = b"cipherway-marker-c7d10b42e8"


def static_rsa_control(scene: Scene, credential) -> None:
    """What a session without forward secrecy gives away to `credential.key`."""
    where = scene.endpoint()
    suite = ["-tls1_2", "-cipher", "AES128-GCM-SHA256"]
    server = scene.process(["openssl", "s_server", "-accept", where, "-cert", credential.certificate,
                            "-cert_chain", credential.certificate, "-key", credential.key, *suite])
    server.wait_listening(where)
    tap = scene.own(Tap(scene.endpoint(), where))
    client = scene.process(["openssl", "s_client", "-connect", tap.where, "-quiet", *suite])
    client.send(MARKER + b"\n")
    server.wait_for(MARKER.decode())
    pcap = write_pcap(scene.path("control.pcap"), tap.segments)
    assert MARKER in decrypt(pcap, [credential.key]), "the control does not decrypt: this test could not fail"
    assert MARKER not in decrypt(pcap, []), "the control is readable without any key: it shows nothing"


@test
def rsa(scene):
    """RSA identities: both private keys decrypt nothing of a TLS 1.3 session"""
    pair = Pair(scene, key="rsa2048")
    static_rsa_control(scene, pair.server_credential)
    pair.exchange(MARKER * 20)
    check(scene, pair)


@test
def rsa_tls12(scene):
    """RSA identities: both private keys decrypt nothing of a TLS 1.2 session either"""
    pair = Pair(scene, key="rsa2048", b={"minimum_version": "1.2"})
    context = client_context(pair.domain.bundle, pair.client, maximum=TLSVersion.TLSv1_2)
    with TlsStream.connect(pair.tap.where, context) as stream:
        stream.send(MARKER)
        assert stream.recv_exactly(len(MARKER)) == MARKER
    assert pair.b.wait_event("connection.open")["protocol"] == "TLSv1.2"
    check(scene, pair)


@test
def ecdsa(scene):
    """ECDSA identities, and a resumed session: both private keys decrypt nothing"""
    pair = Pair(scene)
    pair.b.wait_for_tickets()
    for _ in range(3):
        pair.exchange(MARKER * 20)
    assert any(e["resumed"] for e in pair.b.events("connection.open")), "no session was resumed"
    check(scene, pair)


def check(scene: Scene, pair: Pair) -> None:
    pcap = write_pcap(scene.path("session.pcap"), pair.tap.segments)
    clear = decrypt(pcap, [pair.client.key, pair.server_credential.key], connections=pair.tap.connections)
    assert clear == b"", f"the private keys decrypt {len(clear)} bytes"
    facts = handshake_facts(pcap)
    assert facts, "the recording holds no handshake"
    for fact in facts:  # every hello of a full or resumed handshake brings a fresh key share
        if fact["tls.handshake.type"] in ("1", "2") and "0x0304" in fact["tls.handshake.extensions.supported_version"]:
            assert fact["tls.handshake.extensions_key_share_group"], f"a hello without key share: {fact}"


run()
