"""TLS 1.2 only where the channel asks for it, and then with ECDHE and AEAD; TLS 1.3 is still preferred."""
from ssl import TLSVersion

from harness import client_context, run, test
from harness.refusals import CLIENT, SERVER, Door, Errand, tls_server


@test
def from_side(scene):
    """a TLS 1.2 client passes; a client that can do both gets TLS 1.3"""
    door = Door(scene, listen={"minimum_version": "1.2"})
    credential = door.domain.issue(CLIENT)
    door.passes(client_context(door.domain.bundle, credential, maximum=TLSVersion.TLSv1_2))
    door.passes(client_context(door.domain.bundle, credential))
    first, second = door.node.events("connection.open")
    assert (first["protocol"], second["protocol"]) == ("TLSv1.2", "TLSv1.3")
    assert first["cipher"].startswith("ECDHE-") and ("GCM" in first["cipher"] or "CHACHA20" in first["cipher"]), first
    assert first["client"] == CLIENT and second["client"] == CLIENT


@test
def to_side(scene):
    """a TLS 1.2 server passes; a server that can do both gets TLS 1.3"""
    domain = scene.domain()
    for maximum, protocol in ((TLSVersion.TLSv1_2, "TLSv1.2"), (None, "TLSv1.3")):
        server = tls_server(scene, domain.issue(SERVER), domain.bundle, maximum=maximum)
        errand = Errand(scene, server.where, domain=domain, to={"minimum_version": "1.2"})
        errand.passes(server)
        assert errand.node.wait_event("connection.open")["protocol"] == protocol


run()
