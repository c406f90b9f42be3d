"""What the authority issues verifies with OpenSSL, strictly, and with GnuTLS. Control: under another root it does not."""
import os
import stat
import subprocess

from cryptography import x509

from harness import Scene, run, test
from harness.authority import CLIENT, VERIFIERS, CommandAuthority, certificates_of, gnutls_verify, openssl_verify
from harness.process import program

KINDS = ("p256", "p384", "ed25519", "rsa-3072")


def permissive(scene: Scene, folder: str, *options: str) -> CommandAuthority:
    return CommandAuthority(scene.path(folder), "--permit-dns", "example.org", "--permit-ip", "10.0.0.0/8",
                            "--permit-ip", "2001:db8::/32", *options)


@test
def every_kind_of_key(scene: Scene):
    """authorities and leaves of every kind of key verify, and not under another root"""
    other = CommandAuthority(scene.path("other"))
    for of_authority in KINDS:
        authority = permissive(scene, of_authority, "--key", of_authority)
        for of_leaf in KINDS:
            leaf = authority.issue("spiffe://example.org/a", "shop.example.org", "*.shop.example.org", "10.1.2.3",
                                   "2001:db8::1", options=["--key", of_leaf])
            for name, verify in VERIFIERS.items():
                why = verify(authority.root, leaf["certificate"])
                assert not why, f"{name}, authority {of_authority}, leaf {of_leaf}: {why}"
                assert verify(other.root, leaf["certificate"]), f"{name} takes another root"
            assert not openssl_verify(authority.root, leaf["certificate"], "sslclient")
            assert not gnutls_verify(authority.root, leaf["certificate"], CLIENT)


@test
def one_kind_of_name(scene: Scene):
    """leaves with a SPIFFE ID alone, a DNS name alone and an address alone verify"""
    authority = permissive(scene, "a")
    for name in ("spiffe://example.org/a", "shop.example.org", "10.1.2.3", "2001:db8::1"):
        leaf = authority.issue(name)
        assert leaf["names"] == [name]
        for verifier, verify in VERIFIERS.items():
            why = verify(authority.root, leaf["certificate"])
            assert not why, f"{verifier}, {name}: {why}"


@test
def by_default_spiffe_alone(scene: Scene):
    """an authority that was permitted no DNS names and no addresses issues SPIFFE IDs that verify"""
    for domain in ("example.org", "prod", "a_b.example", "x" * 100):
        authority = CommandAuthority(scene.path(domain[:20]), trust_domain=domain)
        leaf = authority.issue(f"spiffe://{domain}/storefront")
        for verifier, verify in VERIFIERS.items():
            why = verify(authority.root, leaf["certificate"])
            assert not why, f"{verifier}, {domain}: {why}"


@test
def key_stays_with_requester(scene: Scene):
    """a certificate for a PKCS#10 request verifies, has that key and no other name, and no key file is written"""
    authority = permissive(scene, "a")
    for kind, made_with in {"ec": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "rsa": ["-newkey", "rsa:2048"],
                            "ed25519": ["-newkey", "ed25519"]}.items():
        key, csr = scene.path(f"{kind}.key"), scene.path(f"{kind}.csr")
        subprocess.run([program("openssl"), "req", "-new", *made_with, "-nodes", "-subj", "/CN=evil.example", "-addext",
                        "subjectAltName=DNS:evil.example", "-keyout", key, "-out", csr], check=True, capture_output=True)
        leaf = authority.issue("spiffe://example.org/a", options=["--csr", csr])
        assert leaf["key"] is None and not os.path.exists(leaf["certificate"].replace(".pem", ".key"))
        assert leaf["names"] == ["spiffe://example.org/a"]
        public = [subprocess.run([program("openssl"), *words], check=True, capture_output=True).stdout
                  for words in (["pkey", "-in", key, "-pubout"], ["x509", "-in", leaf["certificate"], "-noout", "-pubkey"])]
        assert public[0] == public[1]
        for verifier, verify in VERIFIERS.items():
            why = verify(authority.root, leaf["certificate"])
            assert not why, f"{verifier}, {kind}: {why}"


@test
def profile(scene: Scene):
    """the certificates say what they are for: constraints, usages, key identifiers, 128-bit serials, 24 hours"""
    authority = permissive(scene, "a")
    leaf = authority.issue("spiffe://example.org/a")
    assert stat.S_IMODE(os.stat(leaf["key"]).st_mode) == 0o600
    end, intermediate = certificates_of(leaf["certificate"])
    root, = certificates_of(authority.root)
    for certificate, path_length in ((root, 1), (intermediate, 0)):
        basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage)
        names = certificate.extensions.get_extension_for_class(x509.NameConstraints)
        assert basic.critical and basic.value == x509.BasicConstraints(True, path_length)
        assert usage.critical and usage.value.key_cert_sign and usage.value.crl_sign and not usage.value.digital_signature
        assert names.critical and x509.UniformResourceIdentifier("example.org") in names.value.permitted_subtrees
    assert not end.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    usage = end.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical and usage.value.digital_signature and not usage.value.key_encipherment
    for above, below in ((root, intermediate), (intermediate, end)):
        above_id = above.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
        assert below.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier == above_id
        assert below.issuer == above.subject and below.not_valid_after <= above.not_valid_after
    assert len({root.serial_number, intermediate.serial_number, end.serial_number}) == 3
    assert all(c.serial_number.bit_length() > 96 for c in (root, intermediate, end))
    lifetime = end.not_valid_after - end.not_valid_before
    assert lifetime.total_seconds() == 24 * 3600 + 60, lifetime


run()
