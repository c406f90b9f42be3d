"""A certificate whose time has not come is refused.

Control: the same names with a time that has come pass.
"""
import datetime

from harness import client_context, run, test
from harness.refusals import CLIENT, SERVER, Door, Errand, tls_server

MINUTE = datetime.timedelta(minutes=1)


@test
def client(scene):
    """a client that is not valid yet is refused at `from`"""
    door = Door(scene)
    door.passes(client_context(door.domain.bundle, door.domain.issue(CLIENT)))
    early = door.domain.issue(CLIENT, starts=30 * MINUTE, ends=60 * MINUTE)
    door.refuses(client_context(door.domain.bundle, early), "not-yet-valid")


@test
def server(scene):
    """a server that is not valid yet is refused behind `to`"""
    domain = scene.domain()
    good = tls_server(scene, domain.issue(SERVER))
    Errand(scene, good.where, domain=domain).passes(good)
    early = tls_server(scene, domain.issue(SERVER, starts=30 * MINUTE, ends=60 * MINUTE))
    Errand(scene, early.where, domain=domain).refuses(early, "not-yet-valid")


run()
