"""A node that drains has nothing to reload: HUP and changed files leave it alone, and it ends as it was asked to."""
import os
import signal

from harness import run, test
from harness.pair import Pair
from harness.refusals import SERVER


@test
def hup_during_drain(scene):
    """HUP, a broken config and a new certificate during the drain: no reload, the open connection ends well, exit 0"""
    pair = Pair(scene, timeouts={"drain": "30s"})
    stream = pair.connect()
    stream.send(b"before")
    assert stream.recv_exactly(6) == b"before"
    family = pair.b.processes()
    pair.b.signal(signal.SIGTERM)
    pair.b.wait_event("worker.draining")
    new = pair.domain.issue(SERVER)
    os.replace(new.key, pair.server_credential.key)
    os.replace(new.certificate, pair.server_credential.certificate)
    for text in (None, "[node\n"):
        if text:
            pair.b.write_config(toml=text)
        pair.b.signal(signal.SIGHUP)
        for _ in range(20):
            stream.send(b"x" * 10_000)
            assert stream.recv_exactly(10_000) == b"x" * 10_000
    assert pair.b.processes() == family, "no process was started or ended"
    stream.close()
    assert pair.b.wait_exit() == 0
    for event in ("node.reloading", "node.reloaded", "node.reload.failed", "worker.died", "keyholder.died"):
        assert not pair.b.events(event), event


@test
def drain_during_reload(scene):
    """TERM in the middle of a reload: the reload is given up, the open connection ends well, exit 0"""
    pair = Pair(scene, timeouts={"drain": "30s"})
    stream = pair.connect()
    stream.send(b"before")
    assert stream.recv_exactly(6) == b"before"
    pair.b.signal(signal.SIGHUP)
    pair.b.signal(signal.SIGTERM)
    pair.b.wait_event("node.stopping")
    stream.send(b"x" * 100_000)
    assert stream.recv_exactly(100_000) == b"x" * 100_000
    stream.close()
    assert pair.b.wait_exit() == 0
    assert not pair.b.events("worker.died") and not pair.b.processes()


run()
