"""A stolen signing key is still held to its trust domain: OpenSSL and GnuTLS refuse what it signs for others.

The leaves here are signed with the authority's own key files, as a thief would. Control: the same leaf with a name inside
verifies. GnuTLS (3.7) does not evaluate URI constraints, so a foreign SPIFFE ID is put to OpenSSL alone.
"""
import datetime
import os

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from harness import Scene, run, test
from harness.authority import VERIFIERS, CommandAuthority, certificates_of, gnutls_verify, openssl_verify
from harness.domain import general_name


class Thief:
    """Has the key files of an authority, and signs what it likes."""

    def __init__(self, scene: Scene, authority: CommandAuthority):
        self.scene, self.authority, self.count = scene, authority, 0
        self.root_key = self._key("root")
        self.intermediate_key = self._key("intermediate")
        self.intermediate = certificates_of(authority.issue("spiffe://example.org/real")["certificate"])[1]
        self.root, = certificates_of(authority.root)

    def leaf(self, *names: str, issuer=None, key=None, above=()) -> str:
        """A chain file: a leaf for `names`, its issuer, and those above it."""
        issuer, key = issuer or self.intermediate, key or self.intermediate_key
        own = ec.generate_private_key(ec.SECP256R1())
        builder = self._start(x509.Name([]), own, issuer, ca=None)
        builder = builder.add_extension(x509.SubjectAlternativeName([general_name(n) for n in names]), critical=True)
        return self._write([builder.sign(key, hashes.SHA256()), issuer, *above])

    def intermediate_without_constraints(self, issuer, key):
        """One more authority, with no name constraints and no limit of its own."""
        own = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "stolen")])
        return self._start(subject, own, issuer, ca=True).sign(key, hashes.SHA256()), own

    def _start(self, subject, own, issuer, ca):
        now = datetime.datetime.utcnow()
        usage = dict.fromkeys(("digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
                               "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"), False)
        usage["key_cert_sign" if ca else "digital_signature"] = True
        issuer_id = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        return (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer.subject)
                .public_key(own.public_key()).serial_number(x509.random_serial_number())
                .not_valid_before(now - datetime.timedelta(minutes=1)).not_valid_after(now + datetime.timedelta(hours=1))
                .add_extension(x509.BasicConstraints(bool(ca), None), critical=True)
                .add_extension(x509.KeyUsage(**usage), critical=True)
                .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
                .add_extension(x509.SubjectKeyIdentifier.from_public_key(own.public_key()), critical=False)
                .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer_id),
                               critical=False))

    def _key(self, name: str):
        with open(os.path.join(self.authority.state, f"{name}.key"), "rb") as file:
            return serialization.load_pem_private_key(file.read(), None)

    def _write(self, chain) -> str:
        self.count += 1
        pem = b"".join(c.public_bytes(serialization.Encoding.PEM) for c in chain)
        return self.scene.write(f"stolen-{self.authority.state.split('/')[-2]}-{self.count}.pem", pem)


def refused_by_both(thief: Thief, chain: str, name: str) -> None:
    for verifier, verify in VERIFIERS.items():
        why = verify(thief.authority.root, chain)
        assert why, f"{verifier} takes {name}"
        expected = "subtree violation" if verifier == "openssl" else "violates the signer's constraints"
        assert expected in why, f"{verifier} refuses {name} for another reason: {why}"


def taken_by_both(thief: Thief, chain: str, name: str) -> None:
    for verifier, verify in VERIFIERS.items():
        why = verify(thief.authority.root, chain)
        assert not why, f"control: {verifier} refuses {name}: {why}"


@test
def nothing_permitted(scene: Scene):
    """an authority for SPIFFE IDs alone cannot speak for any DNS name or address"""
    thief = Thief(scene, CommandAuthority(scene.path("a")))
    for name in ("example.org", "shop.example.org", "*.example.org", "evil.net", "10.0.0.1", "2001:db8::1"):
        refused_by_both(thief, thief.leaf(name), name)
        refused_by_both(thief, thief.leaf("spiffe://example.org/a", name), name)
    taken_by_both(thief, thief.leaf("spiffe://example.org/a"), "a SPIFFE ID inside")


@test
def some_permitted(scene: Scene):
    """an authority for some domains and blocks cannot speak for others"""
    thief = Thief(scene, CommandAuthority(scene.path("a"), "--permit-dns", "example.org", "--permit-ip", "10.0.0.0/8"))
    for name in ("evil.net", "notexample.org", "*.evil.net", "11.0.0.1", "2001:db8::1"):
        refused_by_both(thief, thief.leaf(name), name)
        refused_by_both(thief, thief.leaf("shop.example.org", name), name)
    for name in ("shop.example.org", "*.example.org", "10.0.0.1", "spiffe://example.org/a"):
        taken_by_both(thief, thief.leaf(name), name)
    six = Thief(scene, CommandAuthority(scene.path("six"), "--permit-ip", "2001:db8::/32"))
    for name in ("10.0.0.1", "2001:db9::1", "example.org"):
        refused_by_both(six, six.leaf(name), name)
    taken_by_both(six, six.leaf("2001:db8::1"), "an address inside")


@test
def other_trust_domains(scene: Scene):
    """OpenSSL refuses SPIFFE IDs of other trust domains, those below and those that only look alike included"""
    thief = Thief(scene, CommandAuthority(scene.path("a"), "--permit-dns", "example.org", "--permit-ip", "10.0.0.0/8"))
    for name in ("spiffe://example.com/a", "spiffe://sub.example.org/a", "spiffe://example.orgx/a", "spiffe://org/a"):
        why = openssl_verify(thief.authority.root, thief.leaf(name))
        assert "permitted subtree violation" in why, f"{name}: {why}"
    taken_by_both(thief, thief.leaf("spiffe://example.org/a"), "a SPIFFE ID inside")


@test
def no_way_around(scene: Scene):
    """an intermediate without constraints, or one below the intermediate, does not help a thief"""
    thief = Thief(scene, CommandAuthority(scene.path("a"), "--permit-dns", "example.org"))
    free, free_key = thief.intermediate_without_constraints(thief.root, thief.root_key)
    refused_by_both(thief, thief.leaf("evil.net", issuer=free, key=free_key), "evil.net under an intermediate of its own")
    taken_by_both(thief, thief.leaf("shop.example.org", issuer=free, key=free_key), "a name inside, the same way")

    below, below_key = thief.intermediate_without_constraints(thief.intermediate, thief.intermediate_key)
    chain = thief.leaf("shop.example.org", issuer=below, key=below_key, above=[thief.intermediate])
    why = openssl_verify(thief.authority.root, chain)
    assert "path length constraint exceeded" in why, why
    assert gnutls_verify(thief.authority.root, chain), "gnutls takes an authority below the intermediate"


run()
