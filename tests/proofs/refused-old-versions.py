"""TLS 1.0 and 1.1 are refused always, TLS 1.2 unless the channel asks for it.

Control: the same client and server pass with a version that the channel accepts.
"""
from ssl import TLSVersion

from harness import client_context, run, test
from harness.refusals import CLIENT, SERVER, Door, Errand, tls_server

OLD = {"TLS 1.0": TLSVersion.TLSv1, "TLS 1.1": TLSVersion.TLSv1_1}
ANY = "ALL:@SECLEVEL=0"  # Debian's OpenSSL offers the old versions at this level only


def only(version):
    return {"minimum": version, "maximum": version, "ciphers": ANY}


@test
def client(scene):
    """a client that offers TLS 1.0, 1.1 or 1.2 alone is refused at `from`"""
    door = Door(scene)
    credential = door.domain.issue(CLIENT)
    for version in [*OLD.values(), TLSVersion.TLSv1_2]:
        door.refuses(client_context(door.domain.bundle, credential, **only(version)), "protocol-version")
    door.passes(client_context(door.domain.bundle, credential, **only(TLSVersion.TLSv1_3)))


@test
def client_when_asked(scene):
    """minimum_version = "1.2" lets TLS 1.2 in, and nothing older"""
    door = Door(scene, listen={"minimum_version": "1.2"})
    credential = door.domain.issue(CLIENT)
    for version in OLD.values():
        door.refuses(client_context(door.domain.bundle, credential, **only(version)), "protocol-version")
    door.passes(client_context(door.domain.bundle, credential, **only(TLSVersion.TLSv1_2)))
    assert door.node.wait_event("connection.open")["protocol"] == "TLSv1.2"


@test
def server(scene):
    """a server that speaks TLS 1.0, 1.1 or 1.2 alone is refused behind `to`"""
    domain = scene.domain()
    credential = domain.issue(SERVER)
    for version in [*OLD.values(), TLSVersion.TLSv1_2]:
        bad = tls_server(scene, credential, **only(version))
        # The server may be the first to say no, with the alert protocol_version.
        Errand(scene, bad.where, domain=domain).refuses(bad, ("protocol-version", "peer-alert"), "version")
    good = tls_server(scene, credential, **only(TLSVersion.TLSv1_3))
    Errand(scene, good.where, domain=domain).passes(good)


@test
def server_when_asked(scene):
    """minimum_version = "1.2" accepts a server with TLS 1.2, and nothing older"""
    domain = scene.domain()
    credential = domain.issue(SERVER)
    for version in OLD.values():
        bad = tls_server(scene, credential, **only(version))
        Errand(scene, bad.where, domain=domain, to={"minimum_version": "1.2"}).refuses(
            bad, ("protocol-version", "peer-alert"), "version")
    good = tls_server(scene, credential, **only(TLSVersion.TLSv1_2))
    Errand(scene, good.where, domain=domain, to={"minimum_version": "1.2"}).passes(good)


run()
