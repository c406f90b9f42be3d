"""A certificate of an authority that is not in the trust bundle is refused, whatever its names say.

Control: a certificate with the same names, from the authority that is trusted, passes.
"""
from harness import client_context, run, test
from harness.refusals import CLIENT, SERVER, Door, Errand, tls_server


@test
def client(scene):
    """a client of an unknown authority is refused at `from`"""
    door = Door(scene)
    stranger = scene.domain("example.org").issue(CLIENT)
    door.passes(client_context(door.domain.bundle, door.domain.issue(CLIENT)))
    door.refuses(client_context(door.domain.bundle, stranger), "unknown-authority")


@test
def client_with_root(scene):
    """sending its own root along does not help that client"""
    door = Door(scene)
    domain = scene.domain("example.org")
    stranger = domain.issue(CLIENT)
    with open(stranger.certificate, "ab") as chain, open(domain.bundle, "rb") as root:
        chain.write(root.read())
    door.refuses(client_context(door.domain.bundle, stranger), ("unknown-authority", "self-signed"))
    door.passes(client_context(door.domain.bundle, door.domain.issue(CLIENT)))


@test
def server(scene):
    """a server of an unknown authority is refused behind `to`"""
    domain = scene.domain()
    for protect in ("tls", "mutual-tls"):
        good = tls_server(scene, domain.issue(SERVER))
        Errand(scene, good.where, protect=protect, domain=domain).passes(good)
        bad = tls_server(scene, scene.domain("example.org").issue(SERVER))
        Errand(scene, bad.where, protect=protect, domain=domain).refuses(bad, "unknown-authority")


run()
