"""A real node: writes node.toml, starts `cipherway run`, reads its JSON log, and asks it for its status."""
import json
import os
import re
import signal
import subprocess
import threading
import time

from . import net
from .metrics import Metrics
from .process import alive, kill

STARTS = 15  # seconds that a node may need to be ready on a busy machine


def binary(name: str = "cipherway") -> str:
    folder = os.environ.get("CIPHERWAY_BIN")
    if not folder:
        here = os.path.dirname(os.path.abspath(__file__))
        folder = os.path.join(here, "..", "..", "build", "release")
    return os.path.abspath(os.path.join(folder, name))


def channel(name: str, listen=None, to=None, timeouts=None, limits=None, **more) -> dict:
    """A [[channel]]: `listen` is what config calls `from` (a word of Python's)."""
    made = {"name": name, "from": listen, "to": to, "timeouts": timeouts, "limits": limits, **more}
    return {key: value for key, value in made.items() if value is not None}


def _toml(value) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{k} = {_toml(v)}" for k, v in value.items()) + " }"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_toml(v) for v in value) + "]"
    return json.dumps(value)  # TOML's strings, numbers and booleans are written like JSON's


def to_toml(settings: dict, identities: dict, channels: list) -> str:
    """`identities`: name -> (Credential, path of the trust bundle)."""
    lines = ["[node]"] + [f"{k} = {_toml(v)}" for k, v in settings.items()]
    for name, (credential, trust) in identities.items():
        lines += ["", f"[identity.{name}]", f"certificate = {_toml(credential.certificate)}",
                  f"key = {_toml(credential.key)}", f"trust = {_toml(trust)}"]
    for entry in channels:
        lines += ["", "[[channel]]"] + [f"{k} = {_toml(v)}" for k, v in entry.items()]
    return "\n".join(lines) + "\n"


# OpenSSL's ASYNC jobs leave their stacks by longjmp, which AddressSanitizer does not know and mentions once a process.
FALSE_ALARM = re.compile("ASan is ignoring requested __asan_handle_no_return|^False positive error reports may follow"
                         "|^For details see https://github.com/google/sanitizers/issues/189")


class Node:
    """`identities`: {name: (Credential, bundle path)}; `channels`: what channel() makes; or `toml`: the text itself.

    One worker unless `workers` says otherwise, so that a test knows which process does the work.
    """

    def __init__(self, scene, name, identities=None, channels=(), toml=None, workers=1, settings=None, env=None,
                 preexec=None, program=None, flags=(), cwd=None):
        self.scene = scene
        self.name = name
        self.config = scene.path(f"{name}.toml")
        self.state = scene.path(f"{name}.state")
        self.channels = list(channels)
        self._env = env or {}
        self._preexec = preexec
        self._popen = {}
        self._program = program or binary()
        self._flags = list(flags)
        self._cwd = cwd
        self._settings = {"state": self.state, "workers": workers, **(settings or {})}
        self._lines: list[str] = []
        self.child = None
        self.write_config(identities or {}, channels, toml)

    # Config

    def write_config(self, identities=None, channels=(), toml=None) -> None:
        text = toml if toml is not None else to_toml(self._settings, identities, channels)
        with open(self.config, "w") as file:
            file.write(text)

    def reload(self, deadline: float = STARTS) -> dict:
        """HUP; returns the event that says how it went."""
        before = len(self._lines)
        self.signal(signal.SIGHUP)
        return net.wait_until(
            lambda: next((e for e in self.events(since=before)
                          if e["event"] in ("node.reloaded", "node.reload.failed")), None),
            f"{self.name} to have reloaded", deadline)

    # Life

    def command(self) -> list[str]:
        return [self._program, "run", self.config, *self._flags]

    def start(self, wait: bool = True) -> "Node":
        self.child = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL,
                                      stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                      env={**os.environ, **self._env}, preexec_fn=self._preexec,
                                      cwd=self._cwd, **self._popen)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        if wait:
            self.wait_event("node.ready", deadline=STARTS)
        return self

    def stop(self) -> None:
        """TERM, and KILL for what has not ended soon; nothing of a node may be left behind."""
        if self.child is None:
            return
        family = self.processes() if self.child.poll() is None else []
        if self.child.poll() is None:
            self.child.terminate()
            try:
                self.child.wait(2)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
        for pid, _ in family:
            if alive(pid):
                try:
                    net.wait_until(lambda: not alive(pid), "a child to end", 2)
                except AssertionError:
                    kill(pid)
        self._reader.join(5)
        damage = [line for line in self.noise() if "Sanitizer" in line or "runtime error" in line]
        if damage:
            raise AssertionError(f"{self.name}: {damage[0]}")

    def signal(self, number: int) -> None:
        self.child.send_signal(number)

    def wait_exit(self, deadline: float = STARTS) -> int:
        try:
            status = self.child.wait(deadline)
        except subprocess.TimeoutExpired as late:
            raise AssertionError(f"{self.name} has not ended after {deadline} s\n{self.story()}") from late
        self._reader.join(5)
        return status

    # Processes

    @property
    def supervisor(self) -> int:
        return self.child.pid

    def processes(self) -> list[tuple[int, str]]:
        """(pid, what it runs) of the supervisor's living descendants."""
        found, todo = [], [self.child.pid]
        while todo:
            parent = todo.pop()
            for pid in _children(parent):
                if alive(pid):
                    found.append((pid, _command(pid)))
                    todo.append(pid)
        return found

    def keyholder(self) -> int:
        """The one that serves: for a moment after a reload there are others, which end the handshakes of before."""
        found = [pid for pid, command in self.processes() if "keyholder" in command]
        if len(found) > 1:
            found = [row["pid"] for row in self.status()["processes"] if row["process"] == "keyholder"]
        return self._one(found, "keyholder")

    def workers(self) -> list[int]:
        return sorted(pid for pid, command in self.processes() if " gateway-worker " in command)

    def status_server(self) -> int:
        return self._one([pid for pid, command in self.processes() if " status-server " in command], "status server")

    def worker(self) -> int:
        return self._one(self.workers(), "worker")

    def _one(self, pids, what) -> int:
        if len(pids) != 1:
            raise AssertionError(f"{self.name} has {len(pids)} processes that look like a {what}: {self.processes()}")
        return pids[0]

    # Log

    def log(self) -> str:
        return "\n".join(self._lines)

    def events(self, name: str | None = None, since: int = 0, **fields) -> list[dict]:
        """Log events so far with that name and those fields."""
        found = []
        for line in self._lines[since:]:
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if (name is None or event.get("event") == name) and all(event.get(k) == v for k, v in fields.items()):
                found.append(event)
        return found

    def noise(self) -> list[str]:
        """Lines of the log that are not JSON: there should be none."""
        def is_json(line):
            try:
                json.loads(line)
                return True
            except ValueError:
                return False
        return [line for line in list(self._lines) if not is_json(line) and not FALSE_ALARM.search(line)]

    def wait_event(self, name: str, count: int = 1, deadline: float = 10, **fields) -> dict:
        """The `count`-th event of that name and those fields."""
        def seen():
            found = self.events(name, **fields)
            if len(found) >= count:
                return found[count - 1]
            if self.child.poll() is not None:
                self._reader.join(5)
                found = self.events(name, **fields)
                if len(found) >= count:
                    return found[count - 1]
                raise AssertionError(f"{self.name} ended ({self.child.returncode}) before it logged {name} {fields}")
            return None
        return net.wait_until(seen, f"{name} {fields} from {self.name}", deadline)

    def status(self) -> dict:
        """`cipherway status --json` of this node."""
        done = subprocess.run([binary(), "status", self.config, "--json"], capture_output=True, timeout=20)
        if done.returncode != 0:
            raise AssertionError(f"status exits {done.returncode}: {done.stderr.decode(errors='replace')}")
        return json.loads(done.stdout)

    def http(self, path: str, method: str = "GET", host: str | None = None, raw: bytes | None = None):
        """(status, fields, body) of a request to where `status` is served; `raw`: these bytes in its place."""
        where = self._settings["status"]
        time.sleep(0.3)  # a report may be a quarter of a second old: what is read here has seen what was done before
        with net.connect(where) as sock:
            sock.sendall(raw or f"{method} {path} HTTP/1.1\r\nHost: {host or 'localhost'}\r\n\r\n".encode())
            answer = b""
            while chunk := sock.recv(1 << 16):
                answer += chunk
        head, _, body = answer.partition(b"\r\n\r\n")
        status, *lines = head.decode().split("\r\n")
        fields = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        return int(status.split()[1]), fields, body

    def metrics(self) -> Metrics:
        """One scrape, checked."""
        status, _, body = self.http("/metrics")
        assert status == 200, body
        return Metrics(body.decode())

    def wait_for_tickets(self) -> "Node":
        """Until every worker has a ticket key: before, sessions are not resumable, which is no fault."""
        def have():
            held = {row["pid"] for row in self.status()["exposure"] if row["key"].startswith("ticket key")}
            return held >= set(self.workers())
        net.wait_until(have, f"the workers of {self.name} to have ticket keys", STARTS, pause=0.05)
        return self

    def story(self) -> str:
        with open(self.config) as file:
            config = file.read()
        status = None if self.child is None else self.child.poll()
        return f"--- node {self.name} -> {status}\n{config}\n" + "\n".join(self._lines[-60:])

    def _read(self) -> None:
        for line in self.child.stderr:
            self._lines.append(line.decode(errors="replace").rstrip("\n"))


def _children(pid: int) -> list[int]:
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as file:
            return [int(word) for word in file.read().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def _command(pid: int) -> str:
    """Program and arguments: what a keyholder or a worker calls itself."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().replace(b"\0", b" ").decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return ""
