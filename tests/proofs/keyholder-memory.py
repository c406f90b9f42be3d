"""Not even root reads a private key out of the running keyholder: not in /proc/PID/mem, not in a full core by gdb.

Where the kernel has no memfd_secret (the keyholder's status says so) the claim is smaller: no core holds the key that
leaves out what asks to be left out, as those of the kernel and of gdb do.

Control: the same scanner, over the same kinds of dump, finds the same key in an ordinary program that has signed with it;
and it finds in the keyholder's dump what the keyholder does keep in ordinary memory.
"""
import os
import subprocess
import sys

from harness import run, test
from harness.keyholder import (DONE, ECDSA_P256_SHA256, ED25519, RSA_PSS_SHA256, STATUS, Keyholder,
                               certificate_verify)
from harness.memory import dump, found_in, key_forms

SIGNATURES = 50
# In a heap, in ordinary memory: whoever looks at the dump can see that it is one.
NAME = "an identity whose name is easily found"

HOLDS_IT_LIKE_ANYBODY = """
import sys
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding
key = serialization.load_pem_private_key(open(sys.argv[1], "rb").read(), None)
for _ in range(50):
    if isinstance(key, ec.EllipticCurvePrivateKey):
        key.sign(b"x", ec.ECDSA(hashes.SHA256()))
    elif isinstance(key, ed25519.Ed25519PrivateKey):
        key.sign(b"x")
    else:
        key.sign(b"x", padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
print("ready", flush=True)
sys.stdin.read()
"""


def core(scene, pid: int, everything: bool) -> bytes:
    """A core as gdb makes it, with registers; `everything`: also with the mappings that ask to be left out."""
    path = scene.path(f"core-{pid}")
    said = subprocess.run(["gdb", "-batch", "-nx", "-p", str(pid), "-ex", "set use-coredump-filter off", "-ex",
                           f"set dump-excluded-mappings {'on' if everything else 'off'}", "-ex", f"generate-core-file {path}"],
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=100)
    if not os.path.exists(path):
        raise AssertionError(f"gdb made no core:\n{said.stdout.decode()}\n{said.stderr.decode()}")
    with open(path, "rb") as file:
        return file.read()


def hidden(scene, kind: str, scheme: int) -> None:
    domain = scene.domain()
    credential = domain.issue("server.example.org", key=kind)
    forms = key_forms(credential.private_key)
    keyholder = scene.own(Keyholder(scene))
    assert keyholder.load(NAME, credential)[0] == DONE
    assert keyholder.seal()[0] == DONE
    reply, line = keyholder.admit([NAME], ["service"])
    assert reply[0] == DONE
    for number in range(SIGNATURES):
        assert line.sign(NAME, certificate_verify("server", number.to_bytes(32, "big")), scheme)[0] == DONE

    pid = keyholder.child.pid
    if os.geteuid() != 0:  # then the kernel lets nobody in at all
        try:
            open(f"/proc/{pid}/mem", "rb").close()
        except PermissionError:
            return
        raise AssertionError("another process of this user may read the keyholder's memory")

    status = keyholder.line.ask(STATUS)
    assert status[0] == DONE
    secret_memory = status[1][10] == 1
    ways = [("gdb", lambda p: core(scene, p, everything=secret_memory))]
    if secret_memory:
        ways.append(("/proc/PID/mem", dump))
    else:
        print("this kernel has no memfd_secret: cores only")

    ordinary = subprocess.Popen([sys.executable, "-c", HOLDS_IT_LIKE_ANYBODY, credential.key], stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE)
    try:
        assert ordinary.stdout.readline() == b"ready\n"
        for how, take in ways:
            seen = found_in(take(ordinary.pid), forms)
            assert seen, f"the scanner cannot find a key that is there ({kind}, {how})"
            memory = take(pid)
            assert NAME.encode() in memory, f"the dump of the keyholder is not one ({how})"
            found = found_in(memory, forms)
            assert not found, f"the private key ({kind}) can be read from the keyholder by {how}: {found}"
    finally:
        ordinary.stdin.close()
        ordinary.wait(5)
    assert line.sign(NAME, certificate_verify(), scheme)[0] == DONE, "looked at, it serves no more"


@test
def p256(scene):
    """ECDSA P-256: scalar, DER, PEM"""
    hidden(scene, "p256", ECDSA_P256_SHA256)


@test
def ed25519(scene):
    """Ed25519: seed, DER, PEM"""
    hidden(scene, "ed25519", ED25519)


@test
def rsa(scene):
    """RSA-2048: d, p, q, CRT parts, DER, PEM"""
    hidden(scene, "rsa2048", RSA_PSS_SHA256)


run()
