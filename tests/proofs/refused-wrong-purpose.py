"""A certificate that was issued for something else is refused: a server's is no client's, mail is neither.

Control: the same names with the right extended key usage pass.
"""
from harness import client_context, run, test
from harness.refusals import CLIENT, SERVER, Door, Errand, tls_server


@test
def client(scene):
    """a client with a certificate for servers, for mail or for code is refused at `from`"""
    door = Door(scene)
    for purpose in ("server", "mail", "code"):
        wrong = door.domain.issue(CLIENT, purposes=(purpose,))
        door.refuses(client_context(door.domain.bundle, wrong), "wrong-purpose")
    door.passes(client_context(door.domain.bundle, door.domain.issue(CLIENT, purposes=("client",))))


@test
def server(scene):
    """a server with a certificate for clients or for mail is refused behind `to`"""
    domain = scene.domain()
    for purpose in ("client", "mail"):
        wrong = tls_server(scene, domain.issue(SERVER, purposes=(purpose,)))
        Errand(scene, wrong.where, domain=domain).refuses(wrong, "wrong-purpose")
    good = tls_server(scene, domain.issue(SERVER, purposes=("server",)))
    Errand(scene, good.where, domain=domain).passes(good)


run()
