"""Programs that a test starts: output collected as it comes, stopped by process id."""
import contextlib
import os
import shutil
import signal
import subprocess
import threading
import time

from . import net

# Which Debian package has a program that the tests need.
PACKAGES = {"openssl": "openssl", "gnutls-cli": "gnutls-bin", "gnutls-serv": "gnutls-bin", "certtool": "gnutls-bin",
            "curl": "curl", "nginx": "nginx-light", "haproxy": "haproxy", "stunnel": "stunnel4", "tshark": "tshark",
            "gcore": "gdb", "prlimit": "util-linux", "unshare": "util-linux", "strace": "strace", "initdb": "postgresql-15", "postgres": "postgresql-15", "pgbench": "postgresql-15",
            "psql": "postgresql-client-15", "redis-cli": "redis-tools", "redis-benchmark": "redis-tools",
            "h2load": "nghttp2-client", "nghttp": "nghttp2-client", "nghttpd": "nghttp2-server", "testssl": "testssl.sh"}
PLACES = ":/usr/sbin:/sbin:/usr/local/sbin:/usr/lib/postgresql/15/bin"


def program(name: str) -> str:
    """Its path; a missing one is a failure that says what to install, never a skipped test."""
    path = shutil.which(name, path=os.environ.get("PATH", "") + PLACES)
    if not path:
        raise AssertionError(f"{name} is not installed: apt-get install {PACKAGES.get(name, name)} (or tools/setup test)")
    return path


class Process:
    """A started program. `output` is what it has written to stdout and stderr so far."""

    def __init__(self, command, cwd=None, env=None, input_pipe=True, **options):
        self.command = [program(command[0])] + [str(c) for c in command[1:]]
        self._chunks: list[bytes] = []
        self.child = subprocess.Popen(
            self.command, cwd=cwd, env={**os.environ, **(env or {})},
            stdin=subprocess.PIPE if input_pipe else subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, **options)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self.child.pid

    @property
    def output(self) -> bytes:
        return b"".join(self._chunks)

    @property
    def text(self) -> str:
        return self.output.decode(errors="replace")

    def send(self, data: bytes) -> None:
        self.child.stdin.write(data)
        self.child.stdin.flush()

    def close_input(self) -> None:
        try:
            self.child.stdin.close()
        except OSError:
            pass

    def wait_for(self, text: str, deadline: float = 15) -> None:
        """Until it has printed `text`; fails at once if it ends without."""
        def seen():
            if text in self.text:
                return True
            if self.child.poll() is not None:
                self._reader.join(2)
                if text in self.text:
                    return True
                raise AssertionError(f"{self.command[0]} ended before it printed {text!r}:\n{self.text[-3000:]}")
        net.wait_until(seen, f"{text!r} from {self.command[0]}; it printed:\n{self.text[-3000:]}", deadline)

    def wait_listening(self, where: str, deadline: float = 15) -> "Process":
        def up():
            if self.child.poll() is not None:
                self._reader.join(2)
                raise AssertionError(f"{self.command[0]} ended instead of listening:\n{self.text[-3000:]}")
            return net.listening(where)
        net.wait_until(up, f"{self.command[0]} to listen at {where}", deadline)
        return self

    def wait(self, deadline: float = 20) -> int:
        """Its exit status."""
        try:
            status = self.child.wait(deadline)
        except subprocess.TimeoutExpired as late:
            raise AssertionError(f"{' '.join(self.command)} did not end:\n{self.text[-3000:]}") from late
        self._reader.join(5)
        return status

    def stop(self) -> None:
        self.close_input()
        if self.child.poll() is None:
            self.child.terminate()
            try:
                self.child.wait(3)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()

    def forget(self) -> None:
        """What it printed is of no interest any more."""
        self._chunks.clear()

    def story(self) -> str:
        return f"--- {' '.join(self.command)} -> {self.child.returncode}\n{self.text[-4000:]}"

    def _read(self) -> None:
        while chunk := self.child.stdout.read1(65536):
            self._chunks.append(chunk)


def alive(pid: int) -> bool:
    """Whether the process runs: a zombie does not."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    except (FileNotFoundError, ProcessLookupError):
        return False


def kill(pid: int, number: int = signal.SIGKILL) -> None:
    os.kill(pid, number)


def status_fields(pid: int) -> dict[str, str]:
    """/proc/PID/status."""
    with open(f"/proc/{pid}/status") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)


def descriptors(pid: int) -> dict[int, str]:
    """What the process has open."""
    try:
        numbers = os.listdir(f"/proc/{pid}/fd")
    except PermissionError as denied:
        raise AssertionError(f"process {pid} shows its descriptors to root alone: run this test as root") from denied
    links = {}
    for number in numbers:
        with contextlib.suppress(FileNotFoundError):  # closed while we look
            links[int(number)] = os.readlink(f"/proc/{pid}/fd/{number}")
    return links


# Under the address sanitizer freed memory stays with the process for a while: how much it has says nothing.
MEMORY_TELLS = "CIPHERWAY_SANITIZED" not in os.environ


def anonymous_kb(pid: int) -> int:
    """Memory that is the process's own, exactly; /proc/PID/status is off by what each core has not added up yet."""
    try:
        with open(f"/proc/{pid}/smaps_rollup") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("Anonymous:"))
    except PermissionError as denied:
        raise AssertionError(f"process {pid} shows its memory to root alone: run this test as root") from denied


def wait_gone(pid: int, deadline: float = 10) -> None:
    net.wait_until(lambda: not alive(pid), f"process {pid} to end", deadline)


def monotonic() -> float:
    return time.monotonic()
