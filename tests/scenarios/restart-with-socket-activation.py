"""`listen = "systemd:NAME"`: the service manager keeps the sockets, so a restart refuses nobody.

Control: a node that opens its socket itself refuses connections while it is restarted.
"""
import contextlib
import os
import signal
import socket
import subprocess
import threading
import time

from harness import PlainStream, TlsStream, channel, client_context, echo, run, test, wait_until
from harness.net import fresh_address
from harness.node import binary
from harness.refusals import CLIENT, SERVER
from harness.service_manager import ServedNode

RESTARTS = 5


def open_socket(address=None, path=None):
    sock = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
    sock.bind(path or (address or fresh_address(), 0))
    sock.listen(1024)
    if path:
        os.chmod(path, 0o777)
        return f"unix:{path}", sock
    host, port = sock.getsockname()
    return f"{host}:{port}", sock


class Load:
    """Clients that connect, say something, hear it back and leave, until told to stop: each counts."""

    def __init__(self, count, visit):
        self.done, self.visits, self.refused, self.failed = threading.Event(), 0, [], []
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._run, args=(visit,)) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def _run(self, visit):
        while not self.done.is_set():
            try:
                visit()
                with self._lock:
                    self.visits += 1
            except ConnectionRefusedError as error:
                self.refused.append(error)
                time.sleep(0.01)
            except Exception as error:
                self.failed.append(error)

    def stop(self):
        self.done.set()
        for thread in self._threads:
            thread.join()


def talk(stream, data=b"x" * 2000):
    stream.send(data)
    assert stream.recv_exactly(len(data)) == data


def passed_sockets(scene, name="node", **more):
    """A TLS channel and a plaintext one on sockets that were passed."""
    domain = scene.domain()
    server = scene.server(echo)
    secure, secure_socket = open_socket()
    plain, plain_socket = open_socket(path=scene.path("plain.sock"))
    config = {"identities": {"server": (domain.issue(SERVER), domain.bundle)}, "channels": [
        channel("secure", listen={"listen": "systemd:secure", "protect": "mutual-tls", "identity": "server", "allow": [CLIENT]},
                to={"targets": [server.where], "protect": "none"}, **more),
        channel("plain", listen={"listen": "systemd:plain", "protect": "none"},
                to={"targets": [server.where], "protect": "none"}, **more)]}
    sockets = {"plain": plain_socket, "secure": secure_socket}
    context = client_context(domain.bundle, domain.issue(CLIENT))

    def node(sockets=sockets):
        return scene.own(ServedNode(scene, name, sockets=sockets, **config)).start()
    return node, secure, plain, context


@test
def no_connection_refused(scene):
    """a node is stopped and started again several times under load: nobody is refused and nobody is cut"""
    start, secure, plain, context = passed_sockets(scene)
    node = start()

    def visit_secure():
        with TlsStream.connect(secure, context, timeout=30) as stream:
            talk(stream)

    def visit_plain():
        with PlainStream.connect(plain, timeout=30) as stream:
            talk(stream)
    load = [Load(2, visit_secure), Load(2, visit_plain)]
    try:
        for _ in range(RESTARTS):
            reached = [each.visits for each in load]
            wait_until(lambda: all(each.visits > was + 20 for each, was in zip(load, reached)), "visits between restarts")
            node.signal(signal.SIGTERM)
            assert node.wait_exit() == 0
            node = start()
        reached = [each.visits for each in load]
        wait_until(lambda: all(each.visits > was + 20 for each, was in zip(load, reached)), "visits after the restarts")
    finally:
        for each in load:
            each.stop()
    visits, refused, failed = (sum(column) for column in zip(*((e.visits, len(e.refused), len(e.failed)) for e in load)))
    print(f"      {RESTARTS} restarts, {visits} connections, {refused} refused, {failed} failed")
    assert not refused and not failed, [error for each in load for error in each.refused + each.failed][:3]


@test
def control(scene):
    """the control: without socket activation the same restart refuses connections"""
    server = scene.server(echo)
    where = scene.endpoint()
    node = scene.node("own", channels=[channel("c", listen={"listen": where, "protect": "none"},
                                               to={"targets": [server.where], "protect": "none"})])

    def visit():
        with PlainStream.connect(where) as stream:
            talk(stream)
    load = Load(2, visit)
    try:
        wait_until(lambda: load.visits > 20, "visits")
        node.signal(signal.SIGTERM)
        node.wait_exit()
        wait_until(lambda: load.refused, "a refused connection")
    finally:
        load.stop()
    print(f"      1 restart, {load.visits} connections, {len(load.refused)} refused")


@test
def name_stays(scene):
    """a UNIX socket that was passed keeps its name when the node ends; the node did not make it"""
    start, _, plain, _ = passed_sockets(scene)
    node = start()
    node.signal(signal.SIGTERM)
    assert node.wait_exit() == 0
    assert os.path.exists(plain[len("unix:"):])


@test
def reload_keeps_it(scene):
    """a channel that leaves the config and comes back by reloads has its socket again"""
    start, secure, plain, context = passed_sockets(scene)
    node = start()
    with open(node.config) as file:
        text = file.read()
    without = text[:text.rindex("[[channel]]")]
    for config in (without, text):
        node.write_config(toml=config)
        assert node.reload()["event"] == "node.reloaded"
    with PlainStream.connect(plain) as stream:
        talk(stream)
    with TlsStream.connect(secure, context) as stream:
        talk(stream)


@test
def says_what_is_missing(scene):
    """no socket, another name, a socket off loopback for plaintext: the node does not start, and says why"""
    start, _, _, _ = passed_sockets(scene)
    address, off_loopback = open_socket("0.0.0.0")
    good = open_socket()[1]
    for sockets, text in (({}, "passed no socket"), ({"secrue": good, "plain": good}, "secrue, plain"),
                          ({"secure": good, "plain": off_loopback}, address)):
        with contextlib.suppress(AssertionError):
            start(sockets)
        node = scene._started[-1]
        assert node.wait_exit() == 1
        problems = [event["problem"] for event in node.events("node.start.failed")]
        assert any(text in problem and "node" in problem for problem in problems), (text, problems)


@test
def check_needs_none(scene):
    """`cipherway check` accepts the config where no socket was passed: they come with the service"""
    start, _, _, _ = passed_sockets(scene)
    node = start()
    done = subprocess.run([binary(), "check", "--files", node.config], capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stderr


run()
