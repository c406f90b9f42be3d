"""After traffic, the private key is in no byte of memory of any gateway worker or of the supervisor.

Control: the same scanner finds the same kind of key in an `openssl s_server` that holds it, and finds the public key in
the worker, so it reads the right memory.
"""
from harness import TlsStream, client_context, run, test
from harness.memory import dump, found_in, key_forms
from harness.pair import Pair


def public_bytes(credential) -> bytes:
    """Bytes that stand in any parsed or unparsed form of the certificate."""
    return credential.x509.tbs_certificate_bytes[-48:]


def control(scene, kind, domain) -> None:
    credential = domain.issue("server.example.org", key=kind)
    where = scene.endpoint()
    holder = scene.process(["openssl", "s_server", "-accept", where, "-cert", credential.certificate, "-cert_chain",
                            credential.certificate, "-key", credential.key, "-quiet"]).wait_listening(where)
    TlsStream.connect(where, client_context(domain.bundle)).close()
    assert found_in(dump(holder.pid), key_forms(credential.private_key)), "the scanner cannot find a key that is there"


def isolated(scene, kind) -> None:
    pair = Pair(scene, key=kind, workers=2)
    control(scene, kind, pair.domain)
    for _ in range(8):
        pair.exchange(b"x" * 10000)
    for node, credential in ((pair.a, pair.client), (pair.b, pair.server_credential)):
        forms = key_forms(credential.private_key)
        processes = [("supervisor", node.supervisor)] + [("worker", pid) for pid in node.workers()]
        assert len(processes) == 3, processes
        for what, pid in processes:
            memory = dump(pid)
            found = found_in(memory, forms)
            assert not found, f"the private key ({kind}) is in the memory of {node.name}'s {what}: {found}"
            if what == "worker":
                assert public_bytes(credential) in memory, "the scanner does not see the worker's certificate"


@test
def p256(scene):
    """ECDSA P-256: scalar, DER, PEM"""
    isolated(scene, "p256")


@test
def rsa(scene):
    """RSA-2048: d, p, q, CRT parts, DER, PEM"""
    isolated(scene, "rsa2048")


@test
def ed25519(scene):
    """Ed25519: seed, DER, PEM"""
    isolated(scene, "ed25519")


@test
def p384(scene):
    """ECDSA P-384: scalar, DER, PEM"""
    isolated(scene, "p384")


run()
