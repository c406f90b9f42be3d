"""The keyholder signs what a TLS handshake needs and nothing else: no certificate, no token, no code, no bare digest.

Control: a TLS 1.3 CertificateVerify is signed over the same socket, and the signature verifies.
"""
import base64
import hashlib
import json
import os
import signal

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from harness import run, test
from harness.keyholder import DONE, REFUSED, Keyholder, certificate_verify, keyholder_sockets, socket_of, Line
from harness.pair import Pair


def foreign_statements(domain) -> dict[str, bytes]:
    """Things that people sign, and that a captured worker would like to have signed."""
    certificate = domain.issue("spiffe://example.org/admin").x509
    def part(fields):
        return base64.urlsafe_b64encode(json.dumps(fields).encode()).rstrip(b"=")
    token = part({"alg": "ES256"}) + b"." + part({"sub": "spiffe://example.org/admin", "exp": 4102444800})
    return {
        "a certificate (TBSCertificate)": certificate.tbs_certificate_bytes,
        "a JSON Web Token": token,
        "a SHA-256 digest": hashlib.sha256(b"anything").digest(),
        "a SHA-384 digest": hashlib.sha384(b"anything").digest(),
        "an empty statement": b"",
        "an SSH user authentication": b"\0\0\0\x20" + bytes(32) + b"\x32\0\0\0\4root\0\0\0\x0essh-connection",
        "a Git commit": b"tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\nauthor A <a@example.org> 0 +0000\n\nhello\n",
        "a program": b"\x7fELF" + bytes(500),
        "the padding alone": b" " * 64,
        "another TLS 1.3 context": b" " * 64 + b"TLS 1.3, server CertificateVerifz\0" + bytes(32),
        "a delegated credential": b" " * 64 + b"TLS, server delegated credentials\0" + bytes(80),
        "an exported authenticator": b" " * 64 + b"Exported Authenticator\0" + bytes(32),
        "a CertificateVerify with a certificate behind it": certificate_verify() + certificate.tbs_certificate_bytes,
        "a CertificateVerify with a byte too many": certificate_verify() + b"\0",
        "a CertificateVerify after something": b"x" + certificate_verify(),
        "a TLS 1.2 ServerKeyExchange, for a peer without TLS 1.2": os.urandom(64) + b"\x03\x00\x1d\x20" + os.urandom(32),
    }


def signs(line: Line, identity: str, credential) -> None:
    """The control."""
    for side in ("server", "client"):
        statement = certificate_verify(side, os.urandom(32))
        reply = line.sign(identity, statement)
        assert reply and reply[0] == DONE, f"a TLS statement is not signed: {reply}"
        credential.private_key.public_key().verify(reply[1], statement, ec.ECDSA(hashes.SHA256()))


@test
def directly(scene):
    """each foreign statement is refused, and the TLS statement after it is still signed"""
    domain = scene.domain()
    credential = domain.issue("spiffe://example.org/server")
    keyholder = scene.own(Keyholder(scene))
    assert keyholder.load("server", credential)[0] == DONE
    assert keyholder.seal()[0] == DONE
    for what, statement in foreign_statements(domain).items():
        reply, line = keyholder.admit(["server"])
        assert reply[0] == DONE, reply
        signs(line, "server", credential)
        answer = line.sign("server", statement)
        # Refused in words, or hung up on: never signed.
        assert answer is None or answer[0] == REFUSED, f"the keyholder has signed {what}"
        line.sock.close()


@test
def only_for_its_own(scene):
    """a peer gets no signature for an identity, and no ticket key of a service, that it was not admitted for"""
    domain = scene.domain()
    mine, other = domain.issue("spiffe://example.org/mine"), domain.issue("spiffe://example.org/other")
    keyholder = scene.own(Keyholder(scene))
    assert keyholder.load("mine", mine)[0] == DONE
    assert keyholder.load("other", other)[0] == DONE
    assert keyholder.seal()[0] == DONE
    for attempt in (lambda l: l.sign("other", certificate_verify()), lambda l: l.sign("nobody", certificate_verify()),
                    lambda l: l.ticket_key("other-service", 1)):
        _, line = keyholder.admit(["mine"], ["my-service"])
        signs(line, "mine", mine)
        answer = attempt(line)
        assert answer is None or answer[0] == REFUSED, "served beyond what it was admitted for"


@test
def phases(scene):
    """nothing is signed before the sandbox is on, and nothing is loaded afterwards"""
    domain = scene.domain()
    first, late = domain.issue("spiffe://example.org/first"), domain.issue("spiffe://example.org/late")
    keyholder = scene.own(Keyholder(scene))
    assert keyholder.load("first", first)[0] == DONE
    assert keyholder.seal()[0] == DONE
    answer = keyholder.load("late", late)
    assert answer is None or answer[0] == REFUSED, "a key was loaded after the sandbox was on"


@test
def from_a_worker(scene):
    """a certificate, a token and a digest from a running worker's own socket, as one who has captured it would ask"""
    domain = scene.domain()
    for what, statement in list(foreign_statements(domain).items())[:3]:
        pair = Pair(scene, domain=domain)
        pair.exchange(b"x")
        node, credential = pair.b, pair.server_credential
        worker = node.worker()
        numbers = keyholder_sockets(worker, node.keyholder())
        assert len(numbers) == 1, f"the worker has {len(numbers)} sockets to the keyholder"
        os.kill(worker, signal.SIGSTOP)  # so that the answer is ours to read
        line = Line(socket_of(worker, numbers[0]))
        try:
            signs(line, "server", credential)
            answer = line.sign("server", statement)
        finally:
            line.sock.setblocking(False)  # the descriptor is the worker's too
            line.sock.close()
            os.kill(worker, signal.SIGCONT)
        assert answer is None or answer[0] == REFUSED, f"the keyholder has signed {what} for a worker"
        refused = node.wait_event("keyholder.refused")
        assert refused["peer_pid"] == worker and "not a statement to sign" in refused["reason"], refused
        pair.exchange(b"service goes on")


run()
