"""A worker that somebody has taken over opens no file, starts no program and binds no port.

The proof makes a running worker try: a debugger calls the system calls in it, as injected code would. Control: the same calls in
a process without a sandbox succeed.
"""
import re
import subprocess

from harness import client_context, run, test, wait_until
from harness.process import alive, program, status_fields
from harness.refusals import CLIENT, Door

CALL = "((long(*)(long,...))syscall)"
SOCKET, BIND, EXECVE, OPENAT, FORK = 41, 49, 59, 257, 57
ATTEMPTS = {
    "open a file": f'{CALL}({OPENAT}, -100, "/etc/hostname", 0)',
    "start a program": f'{CALL}({EXECVE}, "/bin/true", 0, 0)',
    "make a process": f"{CALL}({FORK})",
    "bind a port": f"{CALL}({BIND}, $fd, $address, 16)",
}


def attempt(pid: int, what: str) -> str:
    """What became of it: "returned N", or "killed by SIGSYS"."""
    commands = ["set confirm off", "set pagination off", "handle SIGSYS nostop noprint pass",
                f"set $fd = {CALL}({SOCKET}, 2, 1, 0)",
                "set $address = ((char*(*)(long,long))calloc)(1, 16)", "set *(short*)$address = 2",
                f"print {ATTEMPTS[what]}"]
    done = subprocess.run([program("gdb"), "-nx", "-batch", "-p", str(pid)] +
                          [part for command in commands for part in ("-ex", command)],
                          capture_output=True, text=True, timeout=60)
    said = done.stdout + done.stderr
    if "SIGSYS" in said.rsplit("pass", 1)[-1] or "terminated with signal SIGSYS" in said:
        return "killed by SIGSYS"
    returned = re.findall(r"^\$\d+ = (-?\d+)", said, re.MULTILINE)
    if returned:
        return f"returned {returned[-1]}"
    if "is executing new program" in said or "exited" in said:
        return "returned 0"  # execve does not return
    raise AssertionError(f"{what}: the debugger says\n{said[-2000:]}")


@test
def control(scene):
    """without a sandbox each of them works"""
    for what in ATTEMPTS:
        free = scene.process(["sleep", "60"])
        outcome = attempt(free.pid, what)
        assert re.fullmatch(r"returned \d+", outcome), f"{what}: {outcome}"
        print(f"     {what}: {outcome}")
        free.stop()


@test
def captured(scene):
    """in a running worker each of them fails, or ends it; the node starts another one, and serves"""
    door = Door(scene)
    context = client_context(door.domain.bundle, door.domain.issue(CLIENT))
    for what in ATTEMPTS:
        worker = door.node.worker()
        fields = status_fields(worker)
        assert fields["Seccomp"].strip() == "2" and fields["NoNewPrivs"].strip() == "1", fields
        assert int(fields["CapEff"], 16) == 0, fields["CapEff"]
        outcome = attempt(worker, what)
        print(f"     {what}: {outcome}")
        if what == "open a file":
            assert outcome == "returned -1", outcome
        else:
            assert outcome == "killed by SIGSYS", outcome
            wait_until(lambda: not alive(worker) and len(door.node.workers()) == 1, "another worker", 20)
        door.passes(context)


run()
