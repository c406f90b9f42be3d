"""A server that can prove who it is, but is not who we expect, is refused.

Control: the same server passes when its name is expected.
"""
from harness import run, test
from harness.refusals import Errand, tls_server


@test
def spiffe(scene):
    """another SPIFFE ID than expected is refused behind `to`, for tls and mutual-tls"""
    domain = scene.domain()
    server = tls_server(scene, domain.issue("spiffe://example.org/other"))
    for protect in ("tls", "mutual-tls"):
        errand = Errand(scene, server.where, protect=protect, domain=domain)
        event = errand.refuses(server, "name-not-allowed")
        assert "spiffe://example.org/other" in str(event["names"]), event
        Errand(scene, server.where, protect=protect, domain=domain, expect=["spiffe://example.org/other"]).passes(server)


@test
def dns(scene):
    """another DNS name than expected is refused behind `to`"""
    domain = scene.domain()
    server = tls_server(scene, domain.issue("evil.example.org"))
    Errand(scene, server.where, domain=domain, expect=["shop.example.org"]).refuses(server, "name-not-allowed")
    Errand(scene, server.where, domain=domain, expect=["evil.example.org"]).passes(server)


@test
def nameless(scene):
    """a server with no name at all is refused, and a common name does not count as one"""
    domain = scene.domain()
    server = tls_server(scene, domain.issue(common_name="leaf.example.org"))
    Errand(scene, server.where, domain=domain, expect=["leaf.example.org"]).refuses(server, "name-not-allowed")
    good = tls_server(scene, domain.issue("leaf.example.org"))
    Errand(scene, good.where, domain=domain, expect=["leaf.example.org"]).passes(good)


run()
