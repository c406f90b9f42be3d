"""What scanners say about listeners of ours: sslscan and testssl.sh about TLS, slowhttptest about slow clients."""
import json
import re
import threading
import xml.etree.ElementTree

from .net import split_endpoint, wait_until
from .node import channel
from .process import Process, anonymous_kb
from .refusals import CLIENT, SERVER
from .stream import TlsStream, client_context
from .web import nginx

HOST = "server.example.org"
BODY = b"x" * 200_000  # what a slow reader is slow to read
LISTENERS = {
    "tls": {"protect": "tls"},
    "tls, minimum_version 1.2": {"protect": "tls", "minimum_version": "1.2"},
    "mutual-tls": {"protect": "mutual-tls", "allow": [CLIENT]},
}
ABOVE_LOW = ("MEDIUM", "HIGH", "CRITICAL")


class Listeners:
    """One node with the listeners above, a web server behind each."""

    def __init__(self, scene, limits=None):
        self.scene = scene
        self.domain = scene.domain()
        self.where = {name: scene.endpoint() for name in LISTENERS}
        target = nginx(scene, BODY)
        self.node = scene.node(
            "node", identities={"server": (self.domain.issue(SERVER, HOST), self.domain.bundle)},
            channels=[channel(name.replace(", ", "-").replace(" ", "-"),
                              listen={"listen": self.where[name], "identity": "server", **side},
                              to={"targets": [target], "protect": "none"}, limits=limits)
                      for name, side in LISTENERS.items()])

    def sslscan(self, name: str) -> dict:
        """Versions, ciphers, groups and signatures that sslscan found."""
        path = self.scene.path("sslscan.xml")
        scan = self.scene.process(["sslscan", "--no-colour", "--show-sigs", f"--sni-name={HOST}", f"--xml={path}",
                                   self.where[name]])
        assert scan.wait(60) == 0, scan.text
        found = xml.etree.ElementTree.parse(path).getroot().find("ssltest")
        assert found is not None, scan.text
        return {
            "versions": [f"{p.get('type').upper()} {p.get('version')}" for p in found.iter("protocol")
                         if p.get("enabled") == "1"],
            "ciphers": [f"{c.get('sslversion')} {c.get('cipher')}" for c in found.iter("cipher")],
            "groups": sorted({g.get("name") for g in found.iter("group")}),
            "signatures": [s.get("name") for s in found.iter("connection-signature-algorithm")],
            "renegotiation": any(r.get("supported") == "1" for r in found.iter("renegotiation")),
            "heartbleed": any(h.get("vulnerable") == "1" for h in found.iter("heartbleed")),
        }

    def testssl(self, name: str, *options) -> "Testssl":
        return Testssl(self, name, options)


class Testssl:
    """A run of testssl.sh, started at once: `findings()` waits for its end."""

    def __init__(self, listeners: Listeners, name: str, options):
        address, port = split_endpoint(listeners.where[name])[1]
        self._path = listeners.scene.path(f"testssl-{port}.json")
        self._process: Process = listeners.scene.process(
            ["testssl", *options, "--warnings", "batch", "--color", "0", "--quiet", "--jsonfile", self._path, "--openssl",
             "/usr/bin/openssl", "--add-ca", listeners.domain.bundle, "--connect-timeout", "10", "--openssl-timeout", "10",
             "--ip", address, f"https://{HOST}:{port}"])

    def findings(self) -> list[dict]:
        self._process.wait(900)
        try:
            with open(self._path) as file:
                return json.load(file)
        except (OSError, ValueError) as error:
            raise AssertionError(f"testssl.sh left no result: {self._process.text[-2000:]}") from error


SLOW = {"slow headers": ("-H",), "slow body": ("-B", "-s", "100000"), "slow read": ("-X", "-w", "64", "-y", "128", "-n", "2",
                                                                                    "-z", "32", "-k", "3")}


def slow_clients(listeners: Listeners, mode: str, connections: int = 1000, seconds: int = 15) -> dict:
    """slowhttptest in that mode against the listener `tls`, while a good client asks again and again."""
    where = listeners.where["tls"]
    context = client_context(listeners.domain.bundle)
    asked, answered, over = [], [], threading.Event()

    def good() -> None:
        while not over.is_set():
            asked.append(1)
            try:
                with TlsStream.connect(where, context) as stream:
                    stream.send(f"GET / HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode())
                    if len(stream.recv_all()) > len(BODY):
                        answered.append(1)
            except Exception as error:
                print(f"the good client met {error!r}")
            over.wait(0.1)
    attack = listeners.scene.process(
        ["slowhttptest", *SLOW[mode], "-c", connections, "-r", 200, "-i", 3, "-l", seconds, "-x", 24, "-p", 5, "-u",
         f"https://{where}/"])

    def open_now() -> int:
        return next(c for c in listeners.node.status()["channels"] if c["name"] == "tls")["open"]
    wait_until(lambda: open_now() >= connections // 2, "the slow clients to have come", 60, pause=0.3)
    client = threading.Thread(target=good)
    client.start()
    most, memory, worker = 0, 0, listeners.node.worker()
    while attack.child.poll() is None:
        most = max(most, open_now())
        memory = max(memory, anonymous_kb(worker))
        over.wait(0.5)
    over.set()
    client.join()
    attack.wait()
    ended = re.findall(r"Exit status: *(.*)", re.sub(r"\x1b\[[0-9;]*m", "", attack.text))
    assert listeners.node.worker() == worker, "the worker died"
    wait_until(lambda: open_now() == 0, "the slow clients to be gone", 60, pause=0.3)
    return {"mode": mode, "connections": connections, "most_open": most, "good_asked": len(asked),
            "good_answered": len(answered), "worker_kb": memory, "verdict": ended[-1].strip() if ended else ""}
