"""check = "tls": the handshake that connections would have, certificate and name and all, decides who is up."""
import os
import signal

from harness import PlainStream, run, server_context, sink, test, wait_until
from harness.backends import wait_health
from harness.refusals import ANSWER, SERVER, Errand, tls_server

CHECK = {"check": "tls", "interval": "100ms", "timeout": "100ms", "fall": 2, "rise": 2}


@test
def verifies(scene):
    """who shows another name, or speaks no TLS, is down; who is expected is up, and gets the clients"""
    domain = scene.domain()
    good = tls_server(scene, domain.issue(SERVER), domain.bundle)
    wrong = scene.server(sink, server_context(domain.issue("spiffe://example.org/somebody-else"), domain.bundle))
    plain = scene.server(sink)
    errand = Errand(scene, scene.endpoint(), domain=domain, to={"targets": [wrong.where, plain.where, good.where]},
                    health={**CHECK, "timeout": "2s", "interval": "2s"})
    reasons = {event["target"]: event["reason"] for event in
               [errand.node.wait_event("target.down", target=server.where) for server in (wrong, plain)]}
    assert reasons[wrong.where] == "name-not-allowed" and reasons[plain.where] != "name-not-allowed", reasons
    wait_health(errand.node, good.where, "up")
    for _ in range(4):
        with PlainStream.connect(errand.where) as stream:
            stream.send(b"?")
            assert stream.recv_exactly(len(ANSWER)) == ANSWER
    assert not errand.node.events("target.failed"), "a client was sent to a target that is down"
    assert wrong.application_bytes == 0


@test
def does_not_resume(scene):
    """every check is a full handshake: an old ticket says nothing about the certificate of today"""
    domain = scene.domain()
    good = tls_server(scene, domain.issue(SERVER), domain.bundle)
    errand = Errand(scene, good.where, domain=domain, health={**CHECK, "timeout": "2s", "interval": "2s", "rise": 1})
    wait_health(errand.node, good.where, "up")
    wait_until(lambda: len([c for c in good.conversations if c.established]) >= 2, "a second check")
    assert not any(c.resumed for c in good.conversations)


@test
def without_a_keyholder(scene):
    """a check that needs a signature while the keyholder is dead says nothing about the target"""
    domain = scene.domain()
    good = tls_server(scene, domain.issue(SERVER), domain.bundle)
    errand = Errand(scene, good.where, domain=domain,
                    health={**CHECK, "timeout": "1s", "interval": "1s", "fall": 1, "rise": 1})
    node = errand.node
    wait_health(node, good.where, "up")
    def keyholders():
        return [pid for pid, command in node.processes() if "keyholder" in command]
    victim = node.keyholder()
    for _ in range(8):  # it is started again later each time
        os.kill(victim, signal.SIGKILL)
        new = wait_until(lambda: node.events("health.check.failed") or [pid for pid in keyholders() if pid != victim],
                         "another keyholder", 30)
        if node.events("health.check.failed"):
            break
        victim = new[0]
    assert node.events("health.check.failed"), "no check met a dead keyholder: this showed nothing"
    assert not node.events("target.down"), node.events("target.down")


run()
