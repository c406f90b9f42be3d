"""The log file is moved away, as logrotate does, and USR1 has all processes go on in a new one."""
import json
import os
import signal

from harness import PlainStream, channel, echo, run, test, wait_until
from harness.node import Node, binary


class Logging(Node):
    """Logs to a file; `events` reads all that were ever written, wherever they are now."""

    def __init__(self, scene, name, **options):
        super().__init__(scene, name, **options)
        self.file = scene.path(f"{name}.log")

    def command(self):
        return [binary(), "run", "--log", self.file, self.config]

    def in_file(self, path):
        try:
            with open(path) as file:
                return [json.loads(line) for line in file]
        except FileNotFoundError:
            return []

    def wait_for(self, event, path=None):
        return wait_until(lambda: next((e for e in self.in_file(path or self.file) if e["event"] == event), None),
                          f"{event} in {path or self.file}")


def arrange(scene):
    server = scene.server(echo)
    where = scene.endpoint()
    node = scene.own(Logging(scene, "node", channels=[channel("c", listen={"listen": where, "protect": "none"},
                                                              to={"targets": [server.where], "protect": "none"})]))
    node.start(wait=False)
    node.wait_for("node.ready")

    def visit():
        with PlainStream.connect(where) as stream:
            stream.send(b"hello")
            assert stream.recv_exactly(5) == b"hello"
    return node, visit


@test
def rotated(scene):
    """moved away and USR1: lines of the supervisor and of workers are in the new file, none is lost, the old one is let go"""
    node, visit = arrange(scene)
    files = [node.file]
    for turn in range(3):
        old = f"{node.file}.{turn + 1}"
        os.rename(node.file, old)
        files.append(old)
        visit()  # its lines go to the old file, or through the pipe into the new one
        node.signal(signal.SIGUSR1)
        node.wait_for("log.reopened")
        visit()
        node.wait_for("connection.closed")
        held = [os.readlink(f"/proc/{node.supervisor}/fd/{fd}") for fd in os.listdir(f"/proc/{node.supervisor}/fd")]
        assert not any(target.startswith(old) for target in held), held

    def closed():
        return sum(event["event"] == "connection.closed" for path in files for event in node.in_file(path))
    wait_until(lambda: closed() == 6, "a line for each of six connections")
    node.signal(signal.SIGTERM)
    assert node.wait_exit() == 0
    assert not node.noise() and not node.log(), "nothing beside the file"


@test
def no_place(scene):
    """when the new file cannot be opened, the log goes on in the one it has, and says so"""
    node, visit = arrange(scene)
    aside = node.file + ".1"
    os.rename(node.file, aside)
    os.mkdir(node.file)  # a folder in the place of the file
    node.signal(signal.SIGUSR1)
    node.wait_for("log.reopen.failed", aside)
    visit()
    node.wait_for("connection.closed", aside)


@test
def no_file(scene):
    """USR1 to a node that logs to standard error harms nothing"""
    server = scene.server(echo)
    node = scene.node("plain", channels=[channel("c", listen={"listen": scene.endpoint(), "protect": "none"},
                                                 to={"targets": [server.where], "protect": "none"})])
    node.signal(signal.SIGUSR1)
    node.wait_event("log.kept")
    assert node.reload()["event"] == "node.reloaded"


run()
