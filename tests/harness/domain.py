"""Throwaway trust domains with every freedom that a proof needs: wrong times, purposes, names, chains, authorities.

Cipherway's own authority would not issue most of these, which is why they are made here.
"""
import base64
import dataclasses
import datetime
import hashlib
import ipaddress
import os

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

PURPOSES = {
    "server": ExtendedKeyUsageOID.SERVER_AUTH,
    "client": ExtendedKeyUsageOID.CLIENT_AUTH,
    "mail": ExtendedKeyUsageOID.EMAIL_PROTECTION,
    "code": ExtendedKeyUsageOID.CODE_SIGNING,
}
HOUR = datetime.timedelta(hours=1)


def make_key(kind: str):
    """kind: p256, p384, ed25519, rsa2048, rsa3072."""
    if kind == "p256":
        return ec.generate_private_key(ec.SECP256R1())
    if kind == "p384":
        return ec.generate_private_key(ec.SECP384R1())
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    if kind.startswith("rsa"):
        return rsa.generate_private_key(65537, int(kind[3:]))
    raise ValueError(kind)


def general_name(text: str):
    if text.startswith("spiffe://"):
        return x509.UniformResourceIdentifier(text)
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _signing_hash(key):
    return None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()


def _pem(certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


@dataclasses.dataclass
class Credential:
    """A certificate chain (leaf first) and its private key, in memory and as files."""
    certificate: str  # path
    key: str  # path, PKCS#8, mode 0600
    private_key: object
    x509: x509.Certificate
    names: tuple
    chain: list  # of x509.Certificate: the leaf, then the intermediates it is presented with

    @property
    def pin(self) -> str:
        """The key, as `allow` and `expect` name one."""
        spki = self.x509.public_key().public_bytes(serialization.Encoding.DER,
                                                   serialization.PublicFormat.SubjectPublicKeyInfo)
        return "spki-sha256:" + base64.b64encode(hashlib.sha256(spki).digest()).decode()


class _Authority:
    def __init__(self, certificate, key, above):
        self.certificate = certificate
        self.key = key
        self.above = above  # the intermediates that a leaf of this authority presents, nearest first


class Domain:
    """A root, by default one intermediate under it, and what they issue. Files go to `folder`."""

    def __init__(self, folder: str, name: str = "example.org", key: str = "p256", intermediates: int = 1):
        self.folder = folder
        self.name = name
        os.makedirs(folder, exist_ok=True)
        self._count = 0
        root_key = make_key(key)
        self.root = _Authority(self._sign_authority(f"{name} root", root_key, None, None), root_key, [])
        self.issuing = self.root
        for level in range(intermediates):
            self.issuing = self.authority(f"{name} intermediate {level + 1}", under=self.issuing, key=key)
        self.bundle = self._write("bundle.pem", _pem(self.root.certificate))

    def authority(self, name: str, under: _Authority | None = None, key: str = "p256", path_length=None) -> _Authority:
        """One more intermediate."""
        under = under or self.root
        private = make_key(key)
        certificate = self._sign_authority(name, private, under, path_length)
        return _Authority(certificate, private, [certificate] + under.above)

    def authorities(self, depth: int, path_length=None) -> _Authority:
        """The lowest of `depth` intermediates, each under the one before; the first has `path_length`."""
        lowest = self.root
        for level in range(depth):
            lowest = self.authority(f"{self.name} level {level + 1}", under=lowest,
                                    path_length=path_length if level == 0 else None)
        return lowest

    def forger(self) -> _Authority:
        """Somebody with the certificate of the issuing authority, and a key of their own."""
        return _Authority(self.issuing.certificate, make_key("p256"), self.issuing.above)

    def issue(self, *names: str, key: str = "p256", purposes=("server", "client"), starts=-HOUR, ends=HOUR,
              under: _Authority | None = None, self_signed: bool = False,
              common_name: str | None = None, renews: Credential | None = None) -> Credential:
        """A credential for `names`; `starts` and `ends` count from now. With `renews` its key is that of another."""
        self._count += 1
        private = renews.private_key if renews else make_key(key)
        under = under or self.issuing
        now = datetime.datetime.utcnow()
        # A subject of its own: an empty one would need a critical subjectAltName.
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name or f"leaf {self._count}")])
        signer = private if self_signed else under.key
        issuer = subject if self_signed else under.certificate.subject
        issuer_key = (private if self_signed else under.certificate).public_key()
        builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer)
                   .public_key(private.public_key()).serial_number(x509.random_serial_number())
                   .not_valid_before(now + starts).not_valid_after(now + ends)
                   .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
                   .add_extension(_usage(leaf=True, rsa_key=key.startswith("rsa")), critical=True)
                   .add_extension(x509.SubjectKeyIdentifier.from_public_key(private.public_key()), critical=False)
                   .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), critical=False))
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName([general_name(n) for n in names]),
                                            critical=False)
        if purposes:
            builder = builder.add_extension(x509.ExtendedKeyUsage([PURPOSES[p] for p in purposes]), critical=False)
        certificate = builder.sign(signer, _signing_hash(signer))
        chain = [certificate] + ([] if self_signed else under.above)
        stem = f"leaf-{self._count}"
        return Credential(
            certificate=self._write(f"{stem}.pem", b"".join(_pem(c) for c in chain)),
            key=self._write(f"{stem}.key", private.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())),
            private_key=private, x509=certificate, names=names, chain=chain)

    def _sign_authority(self, name, key, under, path_length):
        now = datetime.datetime.utcnow()
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        signer = under.key if under else key
        builder = (x509.CertificateBuilder().subject_name(subject)
                   .issuer_name(under.certificate.subject if under else subject)
                   .public_key(key.public_key()).serial_number(x509.random_serial_number())
                   .not_valid_before(now - 48 * HOUR).not_valid_after(now + 48 * HOUR)
                   .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
                   .add_extension(_usage(leaf=False), critical=True)
                   .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
                   .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()),
                                  critical=False))
        return builder.sign(signer, _signing_hash(signer))

    def _write(self, name: str, content: bytes) -> str:
        path = os.path.join(self.folder, name)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(content)
        return path


def _usage(leaf: bool, rsa_key: bool = False) -> x509.KeyUsage:
    # RSA leaves may also transport keys, so that the static-RSA suites could be chosen if anybody let them.
    return x509.KeyUsage(digital_signature=leaf, key_encipherment=leaf and rsa_key, content_commitment=False,
                         data_encipherment=False, key_agreement=False, key_cert_sign=not leaf, crl_sign=not leaf,
                         encipher_only=False, decipher_only=False)
