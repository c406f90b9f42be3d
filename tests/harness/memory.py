"""Looking for keys in the memory of running processes, in every form that we know a library to keep them in."""
import base64
import re

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa


class Unreadable(AssertionError):
    pass


def regions(pid: int):
    with open(f"/proc/{pid}/maps") as maps:
        for line in maps:
            found = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ (\S+) *(.*)", line)
            if found:
                yield int(found[1], 16), int(found[2], 16), found[3], found[5]


def dump(pid: int) -> bytes:
    """All readable memory of a process: what a full core of it would hold. Needs the right to trace it."""
    parts = []
    try:
        memory = open(f"/proc/{pid}/mem", "rb", buffering=0)
    except PermissionError as denied:
        raise Unreadable(f"process {pid} lets nobody but root read its memory: run this test as root") from denied
    with memory:
        for start, end, mode, name in regions(pid):
            if "r" not in mode or name in ("[vvar]", "[vsyscall]", "[vvar_vclock]"):
                continue
            try:
                memory.seek(start)
                left = end - start
                while left > 0:
                    piece = memory.read(min(left, 1 << 24))
                    if not piece:
                        break
                    parts.append(piece)
                    left -= len(piece)
            except (OSError, ValueError, OverflowError):
                continue  # memory that even a debugger may not read (memfd_secret)
            parts.append(b"\0" * 16)  # no match across regions
    whole = b"".join(parts)
    if len(whole) < 1 << 16:
        raise Unreadable(f"only {len(whole)} bytes of process {pid} could be read")
    return whole


def key_forms(private_key) -> dict[str, bytes]:
    """What to look for: name -> bytes. Halves are enough, so that a form broken over two places is found too."""
    forms: dict[str, bytes] = {}

    def number(name: str, value: int, size: int) -> None:
        big = value.to_bytes(size, "big")
        forms[f"{name}, big-endian"] = big
        forms[f"{name}, little-endian"] = big[::-1]  # how OpenSSL's big numbers lie in memory
        half = size // 2
        forms[f"{name}, first half"] = big[:half]
        forms[f"{name}, second half"] = big[half:]
        forms[f"{name}, first half, little-endian"] = big[:half][::-1]
        forms[f"{name}, second half, little-endian"] = big[half:][::-1]

    if isinstance(private_key, rsa.RSAPrivateKey):
        numbers = private_key.private_numbers()
        half = private_key.key_size // 16
        number("RSA d", numbers.d, private_key.key_size // 8)
        for name in ("p", "q", "dmp1", "dmq1", "iqmp"):
            number(f"RSA {name}", getattr(numbers, name), half)
    elif isinstance(private_key, ec.EllipticCurvePrivateKey):
        number("EC scalar", private_key.private_numbers().private_value, (private_key.key_size + 7) // 8)
    elif isinstance(private_key, ed25519.Ed25519PrivateKey):
        seed = private_key.private_bytes(serialization.Encoding.Raw, serialization.PrivateFormat.Raw,
                                         serialization.NoEncryption())
        number("Ed25519 seed", int.from_bytes(seed, "big"), 32)
    for form, name in ((serialization.PrivateFormat.PKCS8, "PKCS#8"),
                       (serialization.PrivateFormat.TraditionalOpenSSL, "traditional")):
        try:
            der = private_key.private_bytes(serialization.Encoding.DER, form, serialization.NoEncryption())
        except ValueError:
            continue  # Ed25519 has no traditional form
        forms[f"DER, {name}"] = der
        body = base64.b64encode(der)
        # Lines of a PEM body that hold secret bits: the first holds the algorithm, the last may be the public key.
        lines = [body[at:at + 64] for at in range(0, len(body), 64)]
        for at, line in enumerate(lines):
            if len(line) >= 24 and _is_secret(line, private_key, der):
                forms[f"PEM, {name}, line {at + 1}"] = line[8:56] if len(line) >= 56 else line
    return forms


def _is_secret(line: bytes, private_key, der: bytes) -> bool:
    """Whether a base64 line holds bytes that the public key does not hold too."""
    public = private_key.public_key().public_bytes(serialization.Encoding.DER,
                                                   serialization.PublicFormat.SubjectPublicKeyInfo)
    raw = base64.b64decode(line[8:56] if len(line) >= 56 else line + b"=" * (-len(line) % 4))
    # A piece of 12 bytes in the middle that is in the public part means that the line is public.
    middle = raw[len(raw) // 2 - 6:len(raw) // 2 + 6]
    return middle not in public and middle in der


def found_in(haystack: bytes, forms: dict[str, bytes]) -> list[str]:
    """Names of the forms that occur."""
    return sorted(name for name, needle in forms.items() if needle in haystack)
