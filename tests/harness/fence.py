"""Runs a program under what a systemd unit restricts it to, without systemd: what the kernel is told is the same.

User, capabilities, NoNewPrivileges, system call filter, address families, namespaces, memory that is writable and
executable, limits, and a file system that is read-only but for some folders. Needs root.
"""
import ctypes
import ctypes.util
import errno
import json
import os
import resource
import subprocess
import sys

LIMITS = {"LimitNOFILE": resource.RLIMIT_NOFILE, "LimitMEMLOCK": resource.RLIMIT_MEMLOCK, "LimitCORE": resource.RLIMIT_CORE}
FAMILIES = {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10}
CAPABILITIES = {"CAP_NET_BIND_SERVICE": 10}


class Unit:
    """The directives of [Service]: {name: [value, ...]}."""

    def __init__(self, path: str):
        self.directives: dict[str, list[str]] = {}
        section = ""
        with open(path) as file:
            for line in file:
                line = line.strip()
                if line.startswith("["):
                    section = line
                elif section == "[Service]" and line and not line.startswith("#"):
                    name, _, value = line.partition("=")
                    self.directives.setdefault(name, []).append(value)

    def one(self, name: str) -> str:
        return self.directives[name][-1]

    def system_calls(self) -> list[str]:
        """What SystemCallFilter= comes to: its first line makes it a list of what is allowed, others add and take away."""
        allowed: set[str] = set()
        for line in self.directives["SystemCallFilter"]:
            names = {name for word in line.removeprefix("~").split() for name in _expand(word)}
            allowed = allowed - names if line.startswith("~") else allowed | names
        # systemd lets these through whatever the filter is: a process could not begin or end otherwise (@default).
        return sorted(allowed | set(_expand("@default")))


_sets: dict[str, list[str]] = {}


def _expand(word: str) -> list[str]:
    if not word.startswith("@"):
        return [word]
    if not _sets:
        text = subprocess.run(["systemd-analyze", "syscall-filter", "--no-pager"], capture_output=True, text=True,
                              timeout=30, check=True).stdout
        name = None
        for line in text.splitlines():
            if line.startswith("@"):
                name = line.strip()
                _sets[name] = []
            elif line.startswith("    ") and not line.strip().startswith("#"):
                _sets[name].append(line.strip())
    return [call for member in _sets[word] for call in _expand(member)]


class Fence:
    """`uid`, `gid`: whom the unit's user is here. `writable`: the folders that the program may write to."""

    def __init__(self, unit: Unit, uid: int = 64999, gid: int = 64999):
        self.uid, self.gid = uid, gid
        self.writable: list[str] = []
        self._unit = unit

    def command(self, command: list[str]) -> list[str]:
        one = self._unit.one
        plan = {"uid": self.uid, "gid": self.gid, "writable": self.writable,
                "system_calls": self._unit.system_calls(),
                "families": [FAMILIES[name] for name in one("RestrictAddressFamilies").split()],
                "capabilities": [CAPABILITIES[name] for name in one("CapabilityBoundingSet").split()],
                "ambient": [CAPABILITIES[name] for name in one("AmbientCapabilities").split()],
                "limits": {number: _size(one(name)) for name, number in LIMITS.items() if name in self._unit.directives},
                "no_exec_memory": one("MemoryDenyWriteExecute") == "yes", "no_namespaces": one("RestrictNamespaces") == "yes",
                "read_only": one("ProtectSystem") == "strict", "umask": int(one("UMask"), 8)}
        assert one("NoNewPrivileges") == "yes"
        return ["unshare", "--mount", "/usr/bin/python3", os.path.abspath(__file__), json.dumps(plan), *command]


def _size(text: str) -> int:
    return int(text.removesuffix("M")) << 20 if text.endswith("M") else int(text)


# What follows runs in the child, which becomes the program.

class _Compare(ctypes.Structure):
    _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]


_NE, _MASKED_EQ = 1, 7  # enum scmp_compare
_ALLOW = 0x7FFF0000


def _filter_system_calls(plan) -> None:
    library = ctypes.CDLL(ctypes.util.find_library("seccomp"), use_errno=True)
    library.seccomp_init.restype = ctypes.c_void_p
    refuse = 0x00050000 | errno.EPERM
    context = ctypes.c_void_p(library.seccomp_init(refuse))

    def rule(action, name, *compare):
        number = library.seccomp_syscall_resolve_name(name.encode())
        if number >= 0:
            array = (_Compare * len(compare))(*compare)
            assert library.seccomp_rule_add_array(context, action, number, len(compare), array) == 0, name
    # systemd installs a filter for each directive; here one filter says the same.
    special = {"socket", "mmap", "mprotect", "pkey_mprotect", "clone", "clone3", "unshare", "setns"}
    for name in plan["system_calls"]:
        if name not in special:
            rule(_ALLOW, name)
    for family in plan["families"]:
        rule(_ALLOW, "socket", _Compare(0, 4, family, 0))
    if plan["no_exec_memory"]:  # no memory that is writable and executable, none that becomes executable
        rule(_ALLOW, "mmap", _Compare(2, _MASKED_EQ, 4, 0))
        rule(_ALLOW, "mmap", _Compare(2, _MASKED_EQ, 6, 4))
        rule(_ALLOW, "mprotect", _Compare(2, _MASKED_EQ, 4, 0))
    if plan["no_namespaces"]:
        rule(_ALLOW, "clone", _Compare(0, _MASKED_EQ, 0x7E020080, 0))  # CLONE_NEW*
        rule(0x00050000 | errno.ENOSYS, "clone3")  # its flags cannot be seen: the C library goes back to clone
    assert library.seccomp_load(context) == 0, "seccomp_load"


def _capabilities(plan) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    for number in range(64):
        if number not in plan["capabilities"]:
            libc.prctl(24, number, 0, 0, 0)  # PR_CAPBSET_DROP
    libc.prctl(8, 1, 0, 0, 0)  # PR_SET_KEEPCAPS
    os.setgroups([])
    os.setresgid(plan["gid"], plan["gid"], plan["gid"])
    os.setresuid(plan["uid"], plan["uid"], plan["uid"])
    mask = sum(1 << number for number in plan["ambient"])
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    assert libc.capset(header, (ctypes.c_uint32 * 6)(mask, mask, mask, 0, 0, 0)) == 0, "capset"
    for number in plan["ambient"]:
        assert libc.prctl(47, 2, number, 0, 0) == 0, "ambient"  # PR_CAP_AMBIENT_RAISE
    assert libc.prctl(38, 1, 0, 0, 0) == 0  # PR_SET_NO_NEW_PRIVS


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


def main() -> None:
    plan, command = json.loads(sys.argv[1]), sys.argv[2:]
    if plan["read_only"]:
        _mount("--make-rprivate", "/")
        for folder in plan["writable"]:
            _mount("--bind", folder, folder)
        _mount("-o", "remount,bind,ro", "/")
        with open("/proc/self/mounts") as mounts:
            kept = [line.split()[1] for line in mounts if line.split()[2] in ("ext4", "xfs", "btrfs", "overlay", "tmpfs")]
        for point in kept:
            if point != "/" and point not in plan["writable"] and not point.startswith("/dev"):
                subprocess.run(["mount", "-o", "remount,bind,ro", point], capture_output=True)
    for number, most in plan["limits"].items():
        # A container may grant less than the unit asks for, as it would to systemd.
        _, hard = resource.getrlimit(int(number))
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(int(number), (most, most))
    os.umask(plan["umask"])
    _capabilities(plan)
    _filter_system_calls(plan)
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
