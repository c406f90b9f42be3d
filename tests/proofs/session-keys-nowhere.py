"""Session keys are in no file, no log and on no wire; only the worker that has the connection holds them, and wipes them.

Control: the same client's key log has them (so we know what to look for), and while the connection is open the scanner
finds them in that worker.
"""
import os
import re

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from harness import TlsStream, client_context, run, test, wait_until
from harness.memory import dump
from harness.pair import Pair
from harness.refusals import CLIENT, Door
from harness.tap import Tap


def secrets_of(keylog: str) -> dict[str, bytes]:
    """Label -> secret, from a file in NSS key log format."""
    with open(keylog) as file:
        return {parts[0]: bytes.fromhex(parts[2]) for parts in map(str.split, file) if len(parts) == 3}


def traffic_keys(secrets: dict[str, bytes]) -> dict[str, bytes]:
    """The AEAD keys that follow from the application traffic secrets (RFC 8446, section 7.3)."""
    keys = {}
    for label, secret in secrets.items():
        if not label.endswith("TRAFFIC_SECRET_0"):
            continue
        algorithm = hashes.SHA384() if len(secret) == 48 else hashes.SHA256()
        for size in (16, 32):
            info = size.to_bytes(2, "big") + b"\x09tls13 key" + b"\x00"
            keys[f"{label} key of {size}"] = HKDFExpand(algorithm, size, info).derive(secret)
    return keys


def forms(named: dict[str, bytes]) -> dict[str, bytes]:
    """As they are and in hexadecimal."""
    out = {}
    for name, value in named.items():
        out[name] = value
        out[name + ", hexadecimal"] = value.hex().encode()
        out[name + ", upper-case hexadecimal"] = value.hex().upper().encode()
    return out


def hits(haystack: bytes, named: dict[str, bytes]) -> list[str]:
    return [name for name, value in named.items() if value in haystack]


def files_below(*folders: str) -> dict[str, bytes]:
    found = {}
    for folder in folders:
        for place, _, names in os.walk(folder):
            for name in names:
                path = os.path.join(place, name)
                if os.path.isfile(path):
                    with open(path, "rb") as file:
                        found[path] = file.read()
    return found


@test
def open_and_closed(scene):
    """known session keys: in the worker while the connection lives, and nowhere else; afterwards nowhere at all"""
    door = Door(scene)
    tap = scene.own(Tap(scene.endpoint(), door.where))
    context = client_context(door.domain.bundle, door.domain.issue(CLIENT))
    keylog = scene.path("control.keylog")
    context.keylog_filename = keylog
    stream = TlsStream.connect(tap.where, context)
    for _ in range(5):
        stream.send(b"question " * 1000)
        stream.recv()
    secrets = secrets_of(keylog)
    application = {k: v for k, v in secrets.items() if k.endswith("TRAFFIC_SECRET_0")}
    assert len(application) == 2, f"the control has no secrets: {secrets.keys()}"
    sought = forms({**secrets, **traffic_keys(application)})

    worker = door.node.worker()
    assert hits(dump(worker), traffic_keys(application)), "the scanner cannot find session keys where they must be"
    for what, pid in (("supervisor", door.node.supervisor), ("keyholder", door.node.keyholder())):
        found = hits(dump(pid), sought)
        assert not found, f"session keys in the {what}: {found}"
    stream.close()
    door.node.wait_event("connection.closed")
    # The connection is destroyed at the end of the turn of the loop in which that was logged.
    wait_until(lambda: not hits(dump(worker), sought), "session keys to be wiped in the worker", 5)

    assert not hits(tap.recorded(), sought), "session keys went over the wire"
    assert not hits(door.node.log().encode(), sought), "session keys are in the log"
    os.unlink(keylog)
    for path, content in files_below(scene.folder).items():
        assert not hits(content, sought), f"session keys are in {path}"


@test
def no_keylog(scene):
    """SSLKEYLOGFILE in the environment is not honoured; openssl s_client -keylogfile is the control"""
    mine, control = scene.path("leak.keylog"), scene.path("openssl.keylog")
    pair = Pair(scene, env={"SSLKEYLOGFILE": mine})
    pair.exchange(b"x" * 1000)
    client = scene.process(["openssl", "s_client", "-connect", pair.inner, "-cert", pair.client.certificate, "-key",
                            pair.client.key, "-cert_chain", pair.client.certificate, "-CAfile", pair.domain.bundle,
                            "-keylogfile", control, "-quiet"])
    client.send(b"through\n")
    client.wait_for("through")
    assert len(secrets_of(control)) >= 4, "the control has written no keys"
    assert not os.path.exists(mine), "a daemon has written its session keys to a file"
    pattern = re.compile(rb"(CLIENT|SERVER)_(HANDSHAKE_)?TRAFFIC_SECRET|CLIENT_RANDOM|EXPORTER_SECRET")
    os.unlink(control)
    for path, content in files_below(scene.folder).items():
        assert not pattern.search(content), f"a key log in {path}"


run()
