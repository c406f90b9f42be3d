"""Interoperability with one real peer in both roles: the cases, and what came of them in build/interop/tls.json.

A file in tests/interop says how its peer is started, as client and as server; `run_peer` does the same cases with each:
an HTTP request goes through the channel, and the log of the node says what was agreed.
"""
import fcntl
import json
import os

from .net import wait_until
from .node import channel
from .refusals import check_refusal
from .runner import run, test
from .servers import http
from .stream import PlainStream, Truncated

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
FOLDER = os.environ.get("CIPHERWAY_INTEROP", os.path.join(ROOT, "build", "interop"))
BODY = "interoperates-8c1f5d"
HOST = "server.example.org"
CLIENT, SERVER = "spiffe://example.org/client", "spiffe://example.org/server"
CASES = ("tls", "mutual-tls", "refused", "resumed", "alpn", "tls1.2", "ecdsa-p256", "rsa-2048", "ed25519")
KEYS = {"ecdsa-p256": "p256", "rsa-2048": "rsa2048", "ed25519": "ed25519"}


class Peer:
    """What a test file fills in. `client_cannot` and `server_cannot`: case -> why the peer itself cannot do that."""

    name = ""
    client_cannot: dict[str, str] = {}
    server_cannot: dict[str, str] = {}
    has_client = has_server = True

    def fetch(self, scene, where, trust, credential=None, alpn=None, tls12=False, twice=False) -> str:
        """Sends `GET / HTTP/1.1` for HOST to `where`, verifying it with `trust`; returns what came back. `twice`: a
        second time on a new connection, with the session of the first."""
        raise NotImplementedError

    def serve(self, scene, credential, trust=None, alpn=None, tls12=False) -> str:
        """Starts a TLS server that answers `GET /index.html` with BODY; with `trust` it demands a client certificate.
        Returns where it listens."""
        raise NotImplementedError


def run_peer(peer: Peer) -> None:
    """Runs all cases in both roles, records each, and ends the program."""
    report = Report(peer.name)
    for role, has, cannot, attempt in (("client", peer.has_client, peer.client_cannot, as_client),
                                       ("server", peer.has_server, peer.server_cannot, as_server)):
        for case in CASES if has else ():
            if case in cannot:
                report.cannot(role, case, cannot[case])
                continue
            _register(report, peer, role, case, attempt)
    run()


def _register(report, peer, role, case, attempt) -> None:
    def function(scene):
        with report.case(role, case):
            attempt(scene, peer, case)
    function.__name__ = f"{role}-{case}"
    test(function)


def as_client(scene, peer: Peer, case: str) -> None:
    """The peer connects to our `from`."""
    domain = scene.domain()
    key = KEYS.get(case, "p256")
    mutual = case != "tls"
    server = scene.server(http(BODY.encode()))
    where = scene.endpoint()
    listen = {"listen": where, "protect": "mutual-tls" if mutual else "tls", "identity": "server"}
    if mutual:
        listen["allow"] = [CLIENT]
    if case == "alpn":
        listen["alpn"] = ["http/1.1"]
    if case == "tls1.2":
        listen["minimum_version"] = "1.2"
    node = scene.node("node", identities={"server": (domain.issue(SERVER, HOST, key=key), domain.bundle)},
                      channels=[channel("c", listen=listen, to={"targets": [server.where], "protect": "none"})])
    options = {}
    if mutual:
        issuer = scene.domain() if case == "refused" else domain
        options["credential"] = issuer.issue(CLIENT, key=key)
    if case == "alpn":
        options["alpn"] = "http/1.1"
    if case == "tls1.2":
        options["tls12"] = True
    if case == "resumed":
        node.wait_for_tickets()
        options["twice"] = True
    answer = peer.fetch(scene, where, domain.bundle, **options)
    if case == "refused":
        assert BODY not in answer, answer
        check_refusal(node.wait_event("connection.refused"), "client", "unknown-authority")
        assert not server.application_bytes, "application data of a refused client was delivered"
        return
    assert BODY in answer, f"the answer did not come through:\n{answer}"
    check_open(node, case, "client", CLIENT if mutual else None)


def as_server(scene, peer: Peer, case: str) -> None:
    """The peer is behind our `to`."""
    domain = scene.domain()
    key = KEYS.get(case, "p256")
    mutual = case != "tls"
    issuer = scene.domain() if case == "refused" else domain
    options = {}
    if mutual:
        options["trust"] = domain.bundle
    if case == "alpn":
        options["alpn"] = "http/1.1"
    if case == "tls1.2":
        options["tls12"] = True
    target = peer.serve(scene, issuer.issue(SERVER, HOST, key=key), **options)
    to = {"targets": [target], "protect": "mutual-tls" if mutual else "tls", "expect": [SERVER], "server_name": HOST}
    if mutual:
        to["identity"] = "client"
    else:
        to["trust"] = domain.bundle
    if case == "alpn":
        to["alpn"] = ["http/1.1"]
    if case == "tls1.2":
        to["minimum_version"] = "1.2"
    where = scene.endpoint()
    node = scene.node("node", identities={"client": (domain.issue(CLIENT, key=key), domain.bundle)} if mutual else {},
                      channels=[channel("c", listen={"listen": where, "protect": "none"}, to=to)])
    answer = get(where)
    if case == "refused":
        assert BODY not in answer, answer
        check_refusal(node.wait_event("connection.refused"), "target", "unknown-authority")
        return
    assert BODY in answer, f"the answer did not come through: {answer!r}"
    if case == "resumed":
        assert BODY in get(where)
    check_open(node, case, "server", SERVER)


def get(where: str) -> str:
    """A plain HTTP request, as an unchanged client in front of the channel would send it."""
    try:
        with PlainStream.connect(where) as stream:
            stream.send(f"GET /index.html HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n"
                        f"X-Echoed: {BODY}\r\n\r\n".encode())  # for a server that can only echo
            answer = b""
            while BODY.encode() not in answer:
                data = stream.recv()
                if not data:
                    break
                answer += data
            return answer.decode(errors="replace")
    except (OSError, Truncated):
        return ""


def check_open(node, case: str, side: str, name) -> None:
    """What the log must say about a channel that was opened."""
    event = node.wait_event("connection.open")
    assert event["protocol"] == ("TLSv1.2" if case == "tls1.2" else "TLSv1.3"), event
    if name:
        assert name in event[side].split(), event
    if case == "alpn":
        assert event["alpn"] == "http/1.1", event
    if case == "resumed":
        wait_until(lambda: node.events("connection.open", resumed=True), "a resumed session")


class Report:
    """What one test file found out: `with report.case("client", "mutual-tls"):` records a pass or a failure."""

    def __init__(self, peer: str):
        self.peer = peer
        self.results: list[dict] = []

    def case(self, role: str, name: str) -> "_Case":
        """`role` is the peer's: "client" of our `from`, or "server" behind our `to`."""
        assert role in ("client", "server"), role
        return _Case(self, role, name)

    def cannot(self, role: str, name: str, why: str) -> None:
        """The peer itself has no such feature; the table says so."""
        self._add(role, name, f"not possible: {why}")

    def _add(self, role: str, name: str, result: str) -> None:
        self.results.append({"peer": self.peer, "role": role, "case": name, "result": result})
        record("tls", self.peer, self.results)


def record(kind: str, who: str, results: list[dict]) -> None:
    """The results of one test file, merged with those of the others into KIND.json."""
    parts = os.path.join(FOLDER, f"{kind}.d")
    os.makedirs(parts, exist_ok=True)
    with open(os.path.join(FOLDER, ".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with open(os.path.join(parts, f"{who.replace('/', '-')}.json"), "w") as file:
            json.dump(results, file)
        merged = []
        for name in sorted(os.listdir(parts)):
            with open(os.path.join(parts, name)) as file:
                merged += json.load(file)
        scratch = os.path.join(FOLDER, f"{kind}.json.new")
        with open(scratch, "w") as file:
            json.dump(merged, file, indent=1)
            file.write("\n")
        os.replace(scratch, os.path.join(FOLDER, f"{kind}.json"))


class _Case:
    def __init__(self, report: Report, role: str, name: str):
        self._report, self._role, self._name = report, role, name

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        self._report._add(self._role, self._name, "pass" if error is None else "fail")
        return False
