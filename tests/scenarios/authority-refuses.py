"""What the authority and the verifiers refuse: foreign names, expired and misused certificates, overwritten files."""
import json
import os
import subprocess
import time

from harness import Scene, run, test
from harness.authority import CLIENT, SERVER, CommandAuthority, cipherway, gnutls_verify, openssl_verify


@test
def foreign_names(scene: Scene):
    """names outside the trust domain are refused with the rule and the remedy, and leave no trace"""
    authority = CommandAuthority(scene.path("a"))
    for name, says in (("spiffe://example.com/a", "outside the trust domain example.org"),
                       ("shop.example.org", "--permit-dns"), ("10.0.0.1", "--permit-ip"), ("2001:db8::1", "--permit-ip"),
                       ("spiffe://example.org", "stands for the authority itself")):
        done = authority.command("issue", "--name", name, "--out", scene.path("x"))
        assert done.returncode == 1 and name in done.stderr and says in done.stderr, done.stderr
    done = authority.command("issue", "--name", "spiffe://example.org/a", "--name", "spiffe://example.org/b", "--out",
                             scene.path("x"))
    assert done.returncode == 1 and "one SPIFFE ID" in done.stderr, done.stderr
    assert not os.path.exists(scene.path("x.pem")) and not os.path.exists(scene.path("x.key"))
    assert len(json.loads(authority.run("list", "--json").stdout)) == 2  # root and intermediate


@test
def expired(scene: Scene):
    """both verifiers refuse a certificate after its end; before it they take it"""
    authority = CommandAuthority(scene.path("a"))
    leaf = authority.issue("spiffe://example.org/a", options=["--lifetime", "3s"])
    assert not openssl_verify(authority.root, leaf["certificate"])
    assert not gnutls_verify(authority.root, leaf["certificate"])
    time.sleep(4)
    assert "has expired" in openssl_verify(authority.root, leaf["certificate"])
    assert "expired" in gnutls_verify(authority.root, leaf["certificate"])
    states = {entry["serial"]: entry["state"] for entry in json.loads(authority.run("list", "--json").stdout)}
    assert states[leaf["serial"]] == "expired" and list(states.values()).count("valid") == 2, states


@test
def wrong_usage(scene: Scene):
    """a certificate for clients is refused as a server's by both verifiers, and the other way round"""
    authority = CommandAuthority(scene.path("a"))
    for usage, good, bad in (("client", ("sslclient", CLIENT), ("sslserver", SERVER)),
                             ("server", ("sslserver", SERVER), ("sslclient", CLIENT))):
        chain = authority.issue("spiffe://example.org/a", options=["--usage", usage])["certificate"]
        assert not openssl_verify(authority.root, chain, good[0]) and not gnutls_verify(authority.root, chain, good[1])
        assert "purpose" in openssl_verify(authority.root, chain, bad[0])
        assert "purpose" in gnutls_verify(authority.root, chain, bad[1])


@test
def existing_files(scene: Scene):
    """existing files are kept unless --force is given, and nothing is issued for them"""
    authority = CommandAuthority(scene.path("a"))
    asked = ["--name", "spiffe://example.org/a", "--out", scene.path("x")]
    authority.run("issue", *asked)
    before = {path: open(scene.path(path)).read() for path in ("x.pem", "x.key")}
    done = authority.command("issue", *asked)
    assert done.returncode == 1 and "exists already" in done.stderr and "--force" in done.stderr, done.stderr
    assert all(open(scene.path(path)).read() == text for path, text in before.items())
    assert len(json.loads(authority.run("list", "--json").stdout)) == 3
    authority.run("issue", *asked, "--force")
    assert all(open(scene.path(path)).read() != text for path, text in before.items())
    done = authority.command("init", "--trust-domain", "example.org")
    assert done.returncode == 1 and "already" in done.stderr, done.stderr


@test
def usage_errors(scene: Scene):
    """mistakes in the arguments exit 2 and name what is wrong; failures exit 1"""
    state = scene.path("none")
    for arguments, says in ((["authority"], "subcommand"), (["authority", "isue"], "isue"),
                            (["authority", "issue", "--dir", state, "--name", "spiffe://example.org/a"], "--out"),
                            (["authority", "issue", "--dir", state, "--name", "a b", "--out", "x"], "a b"),
                            (["authority", "init", "--dir", state, "--trust-domain", "Example.org"], "lower case"),
                            (["authority", "init", "--dir", state, "--trust-domain", "a", "--key", "dsa"], "p256"),
                            (["authority", "init", "--dir", state, "--trust-domain", "a", "--permit-ip", "10.1.0.0/8"],
                             "10.0.0.0/8"),
                            (["authority", "issue", "--dir", state, "--name", "a", "--out", "x", "--lifetime", "1y"],
                             "--lifetime"),
                            (["authorty"], "authority")):
        done = cipherway(*arguments)
        assert done.returncode == 2 and says in done.stderr, f"{arguments}: {done.returncode} {done.stdout}{done.stderr}"
    assert not os.path.exists(state)
    done = cipherway("authority", "list", "--dir", state)
    assert done.returncode == 1 and "cipherway authority init" in done.stderr, done.stderr


@test
def table_fits(scene: Scene):
    """`list` fits the terminal that it prints to"""
    authority = CommandAuthority(scene.path("a"), "--permit-dns", "example.org")
    authority.issue(*[f"a-rather-long-name-number-{i}.example.org" for i in range(5)])
    done = subprocess.run(["script", "-qec", f"stty cols 72; exec {os.environ['CIPHERWAY_BIN']}/cipherway authority list "
                           f"--dir {authority.state}", "/dev/null"], capture_output=True, text=True, timeout=60)
    lines = done.stdout.replace("\r", "").splitlines()
    assert done.returncode == 0 and len(lines) == 4, done.stdout
    assert all(len(line) <= 72 for line in lines) and lines[-1].endswith("..."), done.stdout
    assert "number-4" in authority.run("list").stdout  # a pipe has no width


run()
