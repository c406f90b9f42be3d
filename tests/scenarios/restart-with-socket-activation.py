"""`listen = "systemd:NAME"`: the service manager keeps the sockets, so a restart refuses nobody.

Control: a node that opens its socket itself refuses connections while it is restarted.
"""
import contextlib
import os
import signal
import socket
import subprocess

from harness import PlainStream, TlsStream, channel, client_context, echo, run, test, wait_until
from harness.load import Load
from harness.net import fresh_address
from harness.node import binary
from harness.refusals import CLIENT, SERVER
from harness.systemd import ServedNode

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
    with Load({"secure": [visit_secure] * 2, "plain": [visit_plain] * 2}) as load:
        for _ in range(RESTARTS):
            load.let_some_pass(10)
            node.signal(signal.SIGTERM)
            assert node.wait_exit() == 0
            node = start()
        load.let_some_pass(10)
    print(f"      {RESTARTS} restarts, {sum(load.counts().values())} connections, {len(load.failures)} refused or cut")
    assert not load.failures, load.failures[:3]


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
    with Load({"connections": [visit] * 2}) as load:
        load.let_some_pass(10)
        node.signal(signal.SIGTERM)
        node.wait_exit()
        wait_until(lambda: any(isinstance(error, ConnectionRefusedError) for _, error in load.failures), "a refusal")


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
    good, other = open_socket()[1], open_socket()[1]
    for sockets, text in (({}, "passed no socket"), ({"secrue": good, "plain": other}, "secrue, plain"),
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
