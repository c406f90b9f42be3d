"""A chain with more authorities than we are willing to follow, or than one of them allows, is refused.

Control: a chain of a reasonable length passes.
"""
from harness import client_context, run, test
from harness.refusals import CLIENT, SERVER, Door, Errand, tls_server


@test
def client(scene):
    """a client with seven intermediates is refused at `from`; with three it passes"""
    door = Door(scene)
    door.refuses(client_context(door.domain.bundle, door.domain.issue(CLIENT, under=door.domain.authorities(7))),
                 "chain-too-long")
    door.passes(client_context(door.domain.bundle, door.domain.issue(CLIENT, under=door.domain.authorities(3))))


@test
def server(scene):
    """a server with seven intermediates is refused behind `to`; with three it passes"""
    domain = scene.domain()
    bad = tls_server(scene, domain.issue(SERVER, under=domain.authorities(7)))
    Errand(scene, bad.where, domain=domain).refuses(bad, "chain-too-long")
    good = tls_server(scene, domain.issue(SERVER, under=domain.authorities(3)))
    Errand(scene, good.where, domain=domain).passes(good)


@test
def path_length(scene):
    """an authority that may not appoint others (pathLenConstraint 0) and does is refused"""
    door = Door(scene)
    beyond = door.domain.issue(CLIENT, under=door.domain.authorities(2, path_length=0))
    door.refuses(client_context(door.domain.bundle, beyond), "chain-too-long")
    within = door.domain.issue(CLIENT, under=door.domain.authorities(2, path_length=1))
    door.passes(client_context(door.domain.bundle, within))


run()
