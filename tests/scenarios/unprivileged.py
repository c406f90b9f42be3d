"""Workers and keyholder have nothing that they do not need: no capabilities, no way to gain any, a system-call filter."""
import os
import pwd

from harness import run, test
from harness.pair import Pair
from harness.process import descriptors, status_fields


@test
def sandboxed(scene):
    """seccomp filter on, no_new_privs on, no capability in any set, and nobody's user when the node was started by root"""
    pair = Pair(scene, workers=2)
    pair.exchange(b"x")
    nobody = pwd.getpwnam("nobody").pw_uid
    for node in (pair.a, pair.b):
        for pid in [*node.workers(), node.keyholder()]:
            fields = status_fields(pid)
            assert fields["Seccomp"] == "2", f"no system-call filter: {pid} of {node.processes()}"
            assert fields["NoNewPrivs"] == "1", f"could gain privileges: {pid} of {node.processes()}"
            for capabilities in ("CapEff", "CapPrm", "CapInh", "CapAmb"):
                assert int(fields[capabilities], 16) == 0, f"{capabilities} {fields[capabilities]}"
            users = {int(u) for u in fields["Uid"].split()} | {int(g) for g in fields["Gid"].split()}
            if os.geteuid() == 0:
                assert users == {nobody, pwd.getpwnam("nobody").pw_gid}, f"runs as {users}"
                assert fields.get("Groups", "").split() == [], f"has groups {fields['Groups']}"


@test
def no_inherited_descriptors(scene):
    """a worker holds sockets, pipes and kernel objects, and no file of ours; the keyholder has no socket of any network"""
    pair = Pair(scene)
    pair.exchange(b"x")
    for node in (pair.a, pair.b):
        for pid in [node.worker(), node.keyholder()]:
            for what in descriptors(pid).values():
                assert scene.folder not in what, f"{pid} holds {what}"
        inodes = set(descriptors(node.keyholder()).values())
        for table in ("tcp", "tcp6", "udp", "udp6"):
            with open(f"/proc/{node.keyholder()}/net/{table}") as file:
                for line in list(file)[1:]:
                    assert f"socket:[{line.split()[9]}]" not in inodes, "the keyholder holds a network socket"


run()
