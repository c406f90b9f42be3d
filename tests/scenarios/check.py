"""`cipherway check` runs the checks of `run`: everything that is wrong at once, each with its place, exit 1; else exit 0."""
import os
import re
import subprocess

from harness import channel, run, test
from harness.node import binary, to_toml
from harness.refusals import CLIENT, SERVER


def check(*files):
    """(exit status, all that was printed)."""
    done = subprocess.run([binary(), "check", *files], capture_output=True, timeout=20)
    return done.returncode, (done.stdout + done.stderr).decode()


def good_config(scene, domain) -> str:
    return to_toml({"state": scene.path("state")}, {"server": (domain.issue(SERVER), domain.bundle)}, [channel(
        "orders", listen={"listen": scene.endpoint(), "protect": "mutual-tls", "identity": "server", "allow": [CLIENT]},
        to={"targets": [scene.endpoint()], "protect": "none"})])


@test
def good(scene):
    """a good config: exit 0, and nothing is started or made"""
    path = scene.write("node.toml", good_config(scene, scene.domain()))
    status, text = check(path)
    assert status == 0, text
    assert not os.path.exists(scene.path("state")), "check has made the state directory"


@test
def three_mistakes(scene):
    """three mistakes in one file are named in one go, with file:line:column; an unknown key with the nearest known one"""
    text = good_config(scene, scene.domain())
    text = text.replace('"mutual-tls"', '"mutul-tls"').replace("allow = ", "alow = ")
    text = text.replace("[node]", "[node]\nworkers = -3")
    status, said = check(scene.write("node.toml", text))
    assert status == 1, said
    places = re.findall(r"node\.toml:(\d+):(\d+)", said)
    assert len(set(places)) >= 3, said
    assert "mutual-tls" in said and "allow" in said, f"no suggestion:\n{said}"


@test
def files(scene):
    """a certificate that is none, a name it does not have: exit 1 with the place; a missing file is only pointed out"""
    domain = scene.domain()
    text = good_config(scene, domain)
    certificate = re.search(r'certificate = "([^"]*)"', text)[1]
    broken = scene.write("broken.pem", "hello\n")
    # Configs are checked on machines that have no keys and certificates, too.
    status, said = check(scene.write("node.toml", text.replace(certificate, scene.path("missing.pem"))))
    assert status == 0 and "missing.pem" in said, said
    for wrong in (text.replace(certificate, broken),
                  text.replace("[identity.server]", '[identity.server]\nnames = ["spiffe://example.org/other"]')):
        status, said = check(scene.write("node.toml", wrong))
        assert status == 1 and re.search(r"node\.toml:\d+:\d+", said), said


@test
def usage(scene):
    """no file, an unknown flag: exit 2; a file that is not there: exit 1"""
    assert check()[0] == 2
    assert check("--frobnicate", "x.toml")[0] == 2
    status, said = check(scene.path("nowhere.toml"))
    assert status == 1 and "nowhere.toml" in said, said


run()
