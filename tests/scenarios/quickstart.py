"""`cipherway quickstart` does what it says and leaves nothing behind, also when it is interrupted or cannot begin."""
import json
import os
import signal
import subprocess
import time

from harness import run, test, wait_until
from harness.node import binary
from harness.process import alive


def family(pid: int) -> list:
    found, todo = [], [pid]
    while todo:
        try:
            with open(f"/proc/{todo[-1]}/task/{todo.pop()}/children") as file:
                children = [int(word) for word in file.read().split()]
        except (FileNotFoundError, ProcessLookupError):
            continue
        found += children
        todo += children
    return found


def start(scene, *arguments, **changes) -> subprocess.Popen:
    os.makedirs(scene.path("tmp"), exist_ok=True)
    return subprocess.Popen([binary(), "quickstart", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            env={**os.environ, "TMPDIR": scene.path("tmp"), **changes})


@test
def report(scene):
    """the report holds, and everything is gone afterwards"""
    shown = start(scene, "--json")
    out, err = shown.communicate(timeout=60)
    assert shown.returncode == 0, err.decode()
    report = json.loads(out)
    channel = report["channel"]
    assert channel["protocol"] == "TLSv1.3" and channel["sha256_match"] and channel["bytes"] >= 64 << 20, channel
    assert (channel["client"], channel["server"]) == ("spiffe://example.org/frontend", "spiffe://example.org/storefront")
    assert report["wire"]["marker_in_clear_when_protected"] is False
    assert report["wire"]["marker_in_clear_when_not"] is True
    holders = {row["process"] for row in report["exposure"] if "private key" in row["key"]}
    assert len(holders) == 2 and all("keyholder" in holder for holder in holders), holders
    assert os.listdir(scene.path("tmp")) == []
    assert not [row["pid"] for row in report["exposure"] if alive(row["pid"])]


@test
def interrupted(scene):
    """TERM and INT in the middle: exit 1, no process and no file is left"""
    for number, pause in ((signal.SIGINT, 0.3), (signal.SIGTERM, 1.2)):
        shown = start(scene)
        wait_until(lambda: family(shown.pid), "a child", 20)
        time.sleep(pause)
        children = family(shown.pid)
        shown.send_signal(number)
        _, err = shown.communicate(timeout=30)
        assert shown.returncode == 1 and b"interrupted" in err, err
        wait_until(lambda: not [pid for pid in children if alive(pid)], "all processes to end", 10)
        assert os.listdir(scene.path("tmp")) == []


@test
def missing_program(scene):
    """without curl: exit 1, and the remedy"""
    shown = start(scene, PATH=scene.path("tmp"))
    _, err = shown.communicate(timeout=30)
    assert shown.returncode == 1 and b"apt-get install curl" in err, err


run()
