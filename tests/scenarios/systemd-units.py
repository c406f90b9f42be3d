"""The systemd units: systemd finds nothing wrong with them, they fence the node in tightly, and the node runs in that fence.

systemd itself does not run here: the fence is built from the unit's directives by this test (harness/fence.py). Control:
without the system calls that the unit adds for Landlock the processes have none.
"""
import os
import re
import subprocess

from harness import PlainStream, TlsStream, channel, client_context, echo, run, test
from harness.fence import Fence, Unit
from harness.node import Node, binary
from harness.refusals import CLIENT, SERVER

MOST_EXPOSURE = 2.0  # of systemd-analyze security: 0 is best, 10 worst
HERE = os.path.dirname(os.path.abspath(__file__))


def units(scene):
    """Installed where they name programs that are there; the path of their folder."""
    root = scene.path("root")
    subprocess.run(["cmake", "--install", os.path.dirname(binary()), "--prefix", root], check=True,
                   capture_output=True, timeout=60)
    return f"{root}/lib/systemd/system"


@test
def verified(scene):
    """`systemd-analyze verify` has nothing to say"""
    folder = units(scene)
    names = ["cipherway.service", "cipherway@.service", "cipherway.socket"]
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *[f"{folder}/{name}" for name in names]],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and not done.stderr.strip(), done.stderr
    broken = scene.write("broken.service", "[Service]\nExecStart=/nowhere\nProtectSytem=strict\n")
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", broken], capture_output=True, text=True, timeout=60)
    assert "ProtectSytem" in done.stderr, "the control: a mistake in a unit is found"


@test
def exposure(scene):
    """`systemd-analyze security` scores them no worse than MOST_EXPOSURE, and the guide says the score that it is"""
    folder = units(scene)
    with open(os.path.join(HERE, "..", "..", "docs", "guide", "running.md")) as file:
        said = re.search(r"Overall exposure level for cipherway.service: ([\d.]+)", file.read())
    for name in ("cipherway.service", "cipherway@.service"):
        done = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--no-pager", f"{folder}/{name}"],
                              capture_output=True, text=True, timeout=60)
        found = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
        assert found, done.stdout + done.stderr
        print(f"      {found[0]}")
        assert float(found[1]) <= MOST_EXPOSURE
        assert found[1] == said[1], f"docs/guide/running.md says {said[1]}"


def fenced_node(scene, fence, where, domain, server):
    """A node whose files belong to the unit's user, started inside the fence."""
    class Fenced(Node):
        def command(self):
            return fence.command(super().command())
    node = Fenced(scene, "fenced", identities={"server": (domain.issue(SERVER), domain.bundle)}, channels=[channel(
        "c", listen={"listen": where, "protect": "mutual-tls", "identity": "server", "allow": [CLIENT]},
        to={"targets": [server.where], "protect": "none"}),
        channel("local", listen={"listen": f"unix:{scene.path('run/plain.sock')}", "protect": "none"},
                to={"targets": [server.where], "protect": "none"})])
    os.makedirs(scene.path("run"))
    os.makedirs(node.state)
    for path in (scene.path("run"), node.state, *[os.path.join(at, name) for at, _, names in os.walk(scene.folder)
                                                  for name in names if name.endswith((".key", ".pem"))]):
        os.chown(path, fence.uid, fence.gid)
    fence.writable = [scene.path("run"), node.state]
    return scene.own(node)


@test
def runs_in_the_fence(scene):
    """under the unit's user, system calls, capabilities, limits, read-only file system and address families it serves"""
    domain = scene.domain()
    server = scene.server(echo)
    where = scene.endpoint()
    fence = Fence(Unit(f"{units(scene)}/cipherway.service"))
    node = fenced_node(scene, fence, where, domain, server)
    node.start()
    with TlsStream.connect(where, client_context(domain.bundle, domain.issue(CLIENT))) as stream:
        stream.send(b"hello")
        assert stream.recv_exactly(5) == b"hello"
    with PlainStream.connect(f"unix:{scene.path('run/plain.sock')}") as stream:
        stream.send(b"hello")
        assert stream.recv_exactly(5) == b"hello"
    assert node.reload()["event"] == "node.reloaded"
    sealed = node.wait_event("keyholder.sealed")
    assert sealed["memory_locked"] and sealed["syscalls_restricted"] and sealed["landlock"], sealed
    for pid in (node.supervisor, node.keyholder(), node.worker()):
        with open(f"/proc/{pid}/status") as file:
            status = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
        assert status["NoNewPrivs"] == "1" and status["Uid"].split()[1] == str(fence.uid), status
        if pid == node.supervisor:
            assert int(status["CapEff"], 16) == 1 << 10, "CAP_NET_BIND_SERVICE and nothing else"
        else:
            assert int(status["CapEff"], 16) == 0 == int(status["CapPrm"], 16) == int(status["CapAmb"], 16), status["CapEff"]
    assert not node.noise()


@test
def fence_is_there(scene):
    """the control: without the system calls that the unit adds for Landlock, the processes say that they have none"""
    domain = scene.domain()
    server = scene.server(echo)
    unit = Unit(f"{units(scene)}/cipherway.service")
    unit.directives["SystemCallFilter"] = [" ".join(word for word in line.split() if "landlock" not in word)
                                           for line in unit.directives["SystemCallFilter"]]
    node = fenced_node(scene, Fence(unit), scene.endpoint(), domain, server)
    node.start()
    assert len(node.events("sandbox.no-landlock")) == 2
    assert not node.wait_event("keyholder.sealed")["landlock"]


run()
