"""A keyholder that is killed comes back: running connections never notice, new handshakes succeed."""
from harness import run, test, wait_until
from harness.pair import Pair
from harness.process import kill


@test
def killed(scene):
    """kill -9 of both nodes' keyholders: the open connection lives on, and new ones are served"""
    pair = Pair(scene, workers=2)
    with pair.connect() as stream:
        stream.send(b"before")
        assert stream.recv_exactly(6) == b"before"
        for node in (pair.a, pair.b):
            victim = node.keyholder()
            kill(victim)
            node.wait_event("keyholder.died")
            stream.send(b"during")
            assert stream.recv_exactly(6) == b"during"
            wait_until(lambda: "keyholder" in str(node.processes()) and node.keyholder() != victim,
                       "the keyholder to come back", 20)
        for _ in range(10):
            pair.exchange(b"after")
        stream.send(b"after")
        assert stream.recv_exactly(5) == b"after"
    for node in (pair.a, pair.b):
        assert not node.events("worker.died"), "a worker died with the keyholder"


@test
def handshake_waits(scene):
    """a handshake that needs a signature while there is no keyholder waits for the next one"""
    pair = Pair(scene)
    kill(pair.b.keyholder())
    pair.exchange(b"waited")


run()
