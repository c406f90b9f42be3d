"""Whoever vouches only for itself is refused.

Control: the same names signed by the trusted authority pass.
"""
from harness import client_context, run, test
from harness.refusals import CLIENT, SERVER, Door, Errand, tls_server


@test
def client(scene):
    """a self-signed client is refused at `from`"""
    door = Door(scene)
    door.refuses(client_context(door.domain.bundle, door.domain.issue(CLIENT, self_signed=True)), "self-signed")
    door.passes(client_context(door.domain.bundle, door.domain.issue(CLIENT)))


@test
def server(scene):
    """a self-signed server is refused behind `to`"""
    domain = scene.domain()
    for protect in ("tls", "mutual-tls"):
        bad = tls_server(scene, domain.issue(SERVER, self_signed=True))
        Errand(scene, bad.where, protect=protect, domain=domain).refuses(bad, "self-signed")
        good = tls_server(scene, domain.issue(SERVER))
        Errand(scene, good.where, protect=protect, domain=domain).passes(good)


run()
