"""`cipherway authority` as an operator uses it, and two independent verifiers of what it issues."""
import json
import os
import subprocess

from cryptography import x509

from .process import program

SERVER = "1.3.6.1.5.5.7.3.1"
CLIENT = "1.3.6.1.5.5.7.3.2"


def certificates_of(path: str) -> list:
    """The certificates in a PEM file, in order."""
    with open(path, "rb") as file:
        blocks = file.read().split(b"-----END CERTIFICATE-----\n")[:-1]
    return [x509.load_pem_x509_certificate(block + b"-----END CERTIFICATE-----\n") for block in blocks]


def cipherway(*arguments, **options) -> subprocess.CompletedProcess:
    """Runs `cipherway ARGUMENTS`; CIPHERWAY_BIN says which."""
    binary = os.path.join(os.environ.get("CIPHERWAY_BIN", "build/release"), "cipherway")
    return subprocess.run([binary, *map(str, arguments)], capture_output=True, text=True, timeout=60, **options)


class CommandAuthority:
    """An authority made by `cipherway authority init` in a folder of its own."""

    def __init__(self, folder: str, *options: str, trust_domain: str = "example.org"):
        self.folder = folder
        self.state = os.path.join(folder, "authority")
        self._count = 0
        os.makedirs(folder, exist_ok=True)
        self.run("init", "--trust-domain", trust_domain, *options)
        self.root = os.path.join(folder, "root.pem")
        with open(self.root, "w") as file:
            file.write(self.run("bundle").stdout)

    def command(self, name: str, *options) -> subprocess.CompletedProcess:
        return cipherway("authority", name, "--dir", self.state, *options)

    def run(self, name: str, *options) -> subprocess.CompletedProcess:
        done = self.command(name, *options)
        assert done.returncode == 0, f"authority {name} {options}: exit {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def issue(self, *names: str, options=()) -> dict:
        """What `issue --json` printed; "certificate" and "key" are paths."""
        self._count += 1
        asked = [word for name in names for word in ("--name", name)]
        out = os.path.join(self.folder, f"leaf-{self._count}")
        return json.loads(self.run("issue", *asked, "--out", out, "--json", *options).stdout)


def openssl_verify(root: str, chain: str, purpose: str = "sslserver") -> str:
    """"" when `openssl verify -x509_strict` takes the first certificate of `chain`, else why not."""
    done = subprocess.run([program("openssl"), "verify", "-x509_strict", "-purpose", purpose, "-CAfile", root, "-untrusted",
                           chain, chain], capture_output=True, text=True, timeout=30)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def gnutls_verify(root: str, chain: str, purpose: str = SERVER) -> str:
    """"" when `certtool --verify` takes the chain (leaf first), else why not."""
    done = subprocess.run([program("certtool"), "--verify", "--verify-purpose", purpose, "--load-ca-certificate", root,
                           "--infile", chain], capture_output=True, text=True, timeout=30)
    return "" if done.returncode == 0 else done.stdout + done.stderr


VERIFIERS = {"openssl": openssl_verify, "gnutls": gnutls_verify}
