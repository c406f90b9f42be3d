"""What a scanner sees of a listener is what its config says; `make scan` asks the scanners everything (docs/scans.md)."""
from harness import run, test
from harness.scan import ABOVE_LOW, LISTENERS, Listeners, slow_clients

SUITES = {f"TLSv1.3 TLS_{name}" for name in ("AES_128_GCM_SHA256", "AES_256_GCM_SHA384", "CHACHA20_POLY1305_SHA256")}
OLDER = {f"TLSv1.2 ECDHE-ECDSA-{name}" for name in ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305")}


@test
def sslscan(scene):
    """sslscan: TLS 1.3 alone, and 1.2 where it was asked for; ECDHE and AEAD; no renegotiation"""
    listeners = Listeners(scene)
    for name in LISTENERS:
        found = listeners.sslscan(name)
        older = "1.2" in name
        assert found["versions"] == (["TLS 1.2", "TLS 1.3"] if older else ["TLS 1.3"]), found
        assert set(found["ciphers"]) == (SUITES | OLDER if older else SUITES), found
        assert "x25519" in found["groups"] and found["signatures"] == ["ecdsa_secp256r1_sha256"], found
        assert not found["renegotiation"] and not found["heartbleed"], found


@test
def testssl(scene):
    """testssl.sh: no version that should not be offered, and nothing above LOW about those that are"""
    listeners = Listeners(scene)
    running = {name: listeners.testssl(name, "--protocols") for name in ("tls", "tls, minimum_version 1.2")}
    for name, run_of in running.items():
        found = {entry["id"]: entry for entry in run_of.findings()}
        for old in ("SSLv2", "SSLv3", "TLS1", "TLS1_1"):
            assert found[old]["finding"].startswith("not offered"), found[old]
        assert found["TLS1_2"]["finding"].startswith("offered" if "1.2" in name else "not offered"), found["TLS1_2"]
        assert found["TLS1_3"]["finding"].startswith("offered"), found["TLS1_3"]
        bad = [entry for entry in found.values() if entry["severity"] in ABOVE_LOW]
        assert not bad, bad


@test
def slow_headers(scene):
    """slowhttptest, 300 clients that never finish their headers: a good client is served all the while"""
    found = slow_clients(Listeners(scene), "slow headers", connections=300, seconds=5)
    assert found["good_asked"] == found["good_answered"] > 0, found
    assert found["most_open"] >= 300, found


run()
