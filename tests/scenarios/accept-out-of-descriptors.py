"""A worker that runs out of descriptors goes on: it neither dies nor spins, and serves again when some are free."""
import resource
import time

from harness import PlainStream, channel, echo, run, test, wait_until


def cpu_ticks(pid: int) -> int:
    with open(f"/proc/{pid}/stat", "rb") as file:
        fields = file.read().rpartition(b")")[2].split()
    return int(fields[11]) + int(fields[12])


@test
def exhausted(scene):
    """a limit of 64, and 100 connections; after some are closed, new ones are served"""
    server = scene.server(echo)
    where = scene.endpoint()
    node = scene.node("node", preexec=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)), channels=[channel("c", listen={"listen": where, "protect": "none"},
                                                to={"targets": [server.where], "protect": "none"})])
    worker = node.worker()
    streams = []
    for _ in range(100):
        stream = PlainStream.connect(where)
        stream.send(b"x")
        streams.append(stream)
    before = cpu_ticks(worker)
    time.sleep(1)  # a second in which nothing can be accepted: spinning would take all of it
    used = cpu_ticks(worker) - before
    assert used < 50, f"the worker spins: {used} of 100 ticks"
    assert node.worker() == worker, "the worker died"
    for stream in streams:
        stream.close()

    def served():
        try:
            with PlainStream.connect(where, 2) as stream:
                stream.send(b"again")
                return stream.recv_exactly(5) == b"again"
        except Exception:
            return False
    wait_until(served, "service after descriptors are free again", 20)
    assert node.worker() == worker


run()
