"""TERM and INT under load: what is under way may end, up to a limit; the exit code says whether anybody was cut."""
import signal

from harness import PlainStream, Refused, Truncated, run, test, wait_until
from harness.load import Load
from harness.net import listening
from harness.pair import Pair
from harness.process import alive


class Counted:
    """Exchanges of one kept connection, each in its own time, that end when `last` says so."""

    def __init__(self, pair):
        self.stream = pair.connect()
        self.exchanges = 0

    def once(self) -> None:
        self.stream.send(b"k" * 500)
        assert self.stream.recv_exactly(500) == b"k" * 500
        self.exchanges += 1


def under_load(pair, kept):
    def visit():
        pair.exchange(b"n" * 2000)
    return Load({"new connections": [visit] * 3, "requests": [each.once for each in kept]})


@test
def nobody_cut(scene):
    """within the limit: new connections are refused, every one that was accepted ends well, exit 0"""
    for number in (signal.SIGTERM, signal.SIGINT):
        pair = Pair(scene, workers=2, timeouts={"drain": "20s"})
        kept = [Counted(pair) for _ in range(5)]
        with under_load(pair, kept) as load:
            load.let_some_pass(10)
            assert not load.failures, load.failures[:3]
            pair.a.signal(number)
            pair.a.wait_event("node.stopping")
            wait_until(lambda: not listening(pair.entry), "the node to stop listening")
            before = [each.exchanges for each in kept]
            wait_until(lambda: all(each.exchanges > was + 5 for each, was in zip(kept, before)), "kept connections to go on")
        # A client that the kernel had taken, and the node had not, is reset: the same as a refusal, and before any byte.
        cut = [error for kind, error in load.failures if kind == "requests"]
        unclear = [error for _, error in load.failures if not isinstance(error, (ConnectionRefusedError, ConnectionResetError))]
        print(f"      {signal.Signals(number).name}: {load.counts()['new connections']} connections and "
              f"{load.counts()['requests']} requests, {len(cut)} cut")
        assert not cut and not unclear, (cut[:3], unclear[:3])
        for each in kept:
            each.once()
            each.stream.close()
        assert pair.a.wait_exit() == 0
        assert not pair.a.events("connection.closed", how="drain timeout")


@test
def limit(scene):
    """at the limit those that are left are cut, each with a line in the log, and the exit code is 1"""
    pair = Pair(scene, workers=2, timeouts={"drain": "1s"})
    kept = [Counted(pair) for _ in range(5)]
    with under_load(pair, kept) as load:
        load.let_some_pass()
        pair.a.signal(signal.SIGTERM)
        assert pair.a.wait_exit() == 1
    cut = pair.a.events("connection.closed", how="drain timeout")
    print(f"      {len(cut)} connections cut at the limit")
    assert len(cut) >= len(kept), cut
    assert pair.a.events("worker.drain.limit")


@test
def second_signal(scene):
    """a second TERM or INT waits for nobody: the node ends at once, with 1, and leaves no process"""
    for first, second in ((signal.SIGTERM, signal.SIGTERM), (signal.SIGTERM, signal.SIGINT)):
        pair = Pair(scene, timeouts={"drain": "10m"})
        stream = pair.connect()
        stream.send(b"x")
        assert stream.recv_exactly(1) == b"x"
        family = pair.a.processes()
        pair.a.signal(first)
        pair.a.wait_event("node.stopping")
        pair.a.signal(second)
        assert pair.a.wait_exit() == 1
        assert pair.a.events("node.stopped.early")
        for pid, _ in family:
            wait_until(lambda: not alive(pid), "the processes of the node to end")


@test
def half_way_in(scene):
    """a client in the middle of its handshake when TERM comes may end it and talk"""
    from harness.refusals import CLIENT, SERVER
    from harness import TlsStream, channel, client_context, echo
    domain = scene.domain()
    server = scene.server(echo)
    where = scene.endpoint()
    node = scene.node("node", identities={"server": (domain.issue(SERVER), domain.bundle)}, channels=[channel(
        "c", listen={"listen": where, "protect": "mutual-tls", "identity": "server", "allow": [CLIENT]},
        to={"targets": [server.where], "protect": "none"})])
    raw = PlainStream.connect(where)
    stream = TlsStream(raw.sock, client_context(domain.bundle, domain.issue(CLIENT)))
    hello = stream.client_hello()
    raw.send(hello[:50])
    wait_until(lambda: node.status()["channels"][0]["handshaking"] == 1, "half a handshake")
    node.signal(signal.SIGTERM)
    node.wait_event("worker.draining")
    raw.send(hello[50:])
    try:
        stream.handshake()
        stream.send(b"hello")
        assert stream.recv_exactly(5) == b"hello"
    except (Refused, Truncated) as error:
        raise AssertionError("a client that was accepted was cut by the drain") from error
    stream.close()
    assert node.wait_exit() == 0


run()
