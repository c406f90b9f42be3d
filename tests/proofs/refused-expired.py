"""A certificate whose time is over is refused.

Control: the same names with time left pass.
"""
import datetime

from harness import client_context, run, test
from harness.refusals import CLIENT, SERVER, Door, Errand, tls_server

MINUTE = datetime.timedelta(minutes=1)


@test
def client(scene):
    """an expired client is refused at `from`"""
    door = Door(scene)
    door.passes(client_context(door.domain.bundle, door.domain.issue(CLIENT)))
    late = door.domain.issue(CLIENT, starts=-60 * MINUTE, ends=-MINUTE)
    door.refuses(client_context(door.domain.bundle, late), "expired")


@test
def server(scene):
    """an expired server is refused behind `to`"""
    domain = scene.domain()
    for protect in ("tls", "mutual-tls"):
        good = tls_server(scene, domain.issue(SERVER))
        Errand(scene, good.where, protect=protect, domain=domain).passes(good)
        late = tls_server(scene, domain.issue(SERVER, starts=-60 * MINUTE, ends=-MINUTE))
        Errand(scene, late.where, protect=protect, domain=domain).refuses(late, "expired")


run()
