"""A certificate that names a trusted authority as its issuer, but was not signed by it, is refused.

Control: one that it did sign passes.
"""
from harness import client_context, run, test
from harness.refusals import CLIENT, SERVER, Door, Errand, tls_server


@test
def client(scene):
    """a client with a forged certificate is refused at `from`"""
    door = Door(scene)
    door.refuses(client_context(door.domain.bundle, door.domain.issue(CLIENT, under=door.domain.forger())),
                 "bad-signature")
    door.passes(client_context(door.domain.bundle, door.domain.issue(CLIENT)))


@test
def server(scene):
    """a server with a forged certificate is refused behind `to`"""
    domain = scene.domain()
    bad = tls_server(scene, domain.issue(SERVER, under=domain.forger()))
    Errand(scene, bad.where, domain=domain).refuses(bad, "bad-signature")
    good = tls_server(scene, domain.issue(SERVER))
    Errand(scene, good.where, domain=domain).passes(good)


run()
