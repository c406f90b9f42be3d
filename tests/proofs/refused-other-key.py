"""Where `allow` or `expect` names a key, a peer with another key is refused, whatever its certificate calls it.

Control: the key that is named passes, and goes on doing so when its certificate is renewed.
"""
from harness import client_context, run, test
from harness.refusals import CLIENT, SERVER, Door, Errand, tls_server


@test
def client(scene):
    """a client of the right name with another key is refused, and the log says which key it has"""
    domain = scene.domain()
    pinned, other = domain.issue(CLIENT), domain.issue(CLIENT)
    door = Door(scene, domain=domain, allow=[pinned.pin])
    door.passes(client_context(domain.bundle, pinned))
    event = door.refuses(client_context(domain.bundle, other), "name-not-allowed", other.pin)
    assert event["pin"] == other.pin and event["names"] == CLIENT, event
    door.passes(client_context(domain.bundle, domain.issue("spiffe://example.org/renamed", renews=pinned)))
    nameless = domain.issue(renews=pinned)
    door.passes(client_context(domain.bundle, nameless))
    Door(scene, domain=domain, allow=[CLIENT]).passes(client_context(domain.bundle, other))
    Door(scene, domain=domain, allow=["any"]).refuses(client_context(domain.bundle, nameless), "name-not-allowed")


@test
def server(scene):
    """a server of the right name with another key is refused behind `to`"""
    domain = scene.domain()
    pinned, other = domain.issue(SERVER), domain.issue(SERVER)
    right, wrong = tls_server(scene, pinned), tls_server(scene, other)
    for protect in ("tls", "mutual-tls"):
        Errand(scene, right.where, protect=protect, domain=domain, expect=[pinned.pin]).passes(right)
        event = Errand(scene, wrong.where, protect=protect, domain=domain, expect=[pinned.pin]).refuses(
            wrong, "name-not-allowed", other.pin)
        assert event["pin"] == other.pin, event
        Errand(scene, wrong.where, protect=protect, domain=domain, expect=[SERVER]).passes(wrong)


@test
def not_instead_of_trust(scene):
    """the right key in a certificate of somebody else's authority is refused"""
    domain, stranger = scene.domain(), scene.domain("other.example")
    pinned = domain.issue(CLIENT)
    door = Door(scene, domain=domain, allow=[pinned.pin])
    door.passes(client_context(domain.bundle, pinned))
    event = door.refuses(client_context(domain.bundle, stranger.issue(CLIENT, renews=pinned)),
                         ("unknown-authority", "self-signed"))
    assert event["pin"] == pinned.pin, event


run()
