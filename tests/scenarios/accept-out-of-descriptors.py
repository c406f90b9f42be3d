"""A worker that runs out of descriptors goes on: it neither dies nor spins nor leaks, and serves again when some are free."""
import resource
import subprocess

from harness import PlainStream, TlsStream, channel, client_context, echo, run, test, wait_until
from harness.process import descriptors, kill, program
from harness.refusals import ANSWER, CLIENT, QUESTION, Door

LIMIT = 64


def cpu_ticks(pid: int) -> int:
    with open(f"/proc/{pid}/stat", "rb") as file:
        fields = file.read().rpartition(b")")[2].split()
    return int(fields[11]) + int(fields[12])


def system_calls(pid: int, seconds: float) -> int:
    """How many the process makes in so much time."""
    traced = subprocess.run([program("timeout"), "-s", "INT", str(seconds), program("strace"), "-c", "-p", str(pid)],
                            capture_output=True, text=True)
    assert "attached" in traced.stderr or "% time" in traced.stderr, traced.stderr
    total = [line.split() for line in traced.stderr.splitlines() if line.endswith("total")]
    return int(total[0][3]) if total else 0


def few_descriptors():
    resource.setrlimit(resource.RLIMIT_NOFILE, (LIMIT, LIMIT))


@test
def exhausted(scene):
    """a limit of 64, and 100 connections: those that fit are served, the rest wait; nothing spins, nothing leaks"""
    server = scene.server(echo)
    where = scene.endpoint()
    node = scene.node("node", preexec=few_descriptors,
                      channels=[channel("c", listen={"listen": where, "protect": "none"},
                                        to={"targets": [server.where], "protect": "none"})])
    worker = node.worker()
    before = len(descriptors(worker))
    streams = []
    for _ in range(100):
        stream = PlainStream.connect(where)
        stream.send(b"x")
        streams.append(stream)
    wait_until(lambda: node.events("accept.paused"), "the worker to pause")
    wait_until(lambda: len(node.events("connection.open")) > 15, "service for those that fit")
    served = len(node.events("connection.open"))
    lines, ticks = len(node.log().splitlines()), cpu_ticks(worker)
    calls = system_calls(worker, 2)
    lines, ticks = len(node.log().splitlines()) - lines, cpu_ticks(worker) - ticks
    print(f"     {served} served, {100 - served} wait; in 2 s: {calls} system calls, {lines} lines in the log, "
          f"{ticks * 10} ms of CPU")
    assert calls < 500, f"the worker spins: {calls} system calls"
    assert lines < 20, f"{lines} lines"
    assert not node.events("connection.refused"), "somebody was turned away for want of descriptors"
    assert not node.events("target.failed"), "a target was blamed for it"
    assert node.worker() == worker, "the worker died"
    for stream in streams[:served]:
        assert stream.recv_exactly(1) == b"x"
        stream.close()
    for stream in streams[served:]:  # in their turn, and with their byte
        assert stream.recv_exactly(1) == b"x"
        stream.close()
    with PlainStream.connect(where) as stream:
        stream.send(b"again")
        assert stream.recv_exactly(5) == b"again"
    wait_until(lambda: len(descriptors(worker)) <= before, f"{before} descriptors, as in the beginning")


@test
def held_by_silence(scene):
    """200 silent connections have taken all descriptors: a good client is let in at once, in the place of one of them"""
    door = Door(scene, node={"preexec": few_descriptors}, timeouts={"handshake": "10m"})
    context = client_context(door.domain.bundle, door.domain.issue(CLIENT))
    silent = [PlainStream.connect(door.where) for _ in range(200)]
    for _ in range(20):
        with TlsStream.connect(door.where, context) as stream:
            stream.send(QUESTION)
            assert stream.recv_exactly(len(ANSWER)) == ANSWER
    evicted = door.node.events("connection.refused", reason="limit")
    print(f"     20 of 20 served, {len(evicted)} lines for evicted ones, {len(door.node.log().splitlines())} lines in all")
    assert evicted
    for stream in silent:
        stream.close()
    door.passes(context)


@test
def while_a_key_is_needed(scene):
    """a keyholder that dies while there are no descriptors is replaced, and handshakes work when there are some again"""
    door = Door(scene, node={"preexec": few_descriptors})
    context = client_context(door.domain.bundle, door.domain.issue(CLIENT))
    streams = []
    for _ in range(40):  # established ones, which nobody may take a place from
        try:
            stream = TlsStream.connect(door.where, context, timeout=1)
            stream.send(QUESTION)
            stream.recv_exactly(len(ANSWER))
            streams.append(stream)
        except Exception:
            break
    assert 10 < len(streams) < 40, f"{len(streams)} fit"
    old = door.node.keyholder()
    kill(old)
    door.node.wait_event("keyholder.died")
    wait_until(lambda: "keyholder" in str(door.node.processes()) and door.node.keyholder() != old, "another keyholder", 20)
    for stream in streams:
        stream.close()

    def served():
        try:
            with TlsStream.connect(door.where, context, timeout=2) as stream:
                stream.send(QUESTION)
                return stream.recv_exactly(len(ANSWER)) == ANSWER
        except Exception:
            return False
    wait_until(served, "service after descriptors and keyholder are there again", 20)


run()
