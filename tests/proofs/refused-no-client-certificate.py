"""A client without a certificate is refused by mutual TLS.

Control: it passes tls, and with a certificate it passes mutual-tls.
"""
from harness import client_context, run, test
from harness.refusals import CLIENT, Door


@test
def mutual(scene):
    """no certificate, no channel: mutual-tls"""
    domain = scene.domain()
    door = Door(scene, domain=domain)
    door.refuses(client_context(domain.bundle), "no-certificate")
    door.passes(client_context(domain.bundle, domain.issue(CLIENT)))
    Door(scene, domain=domain, protect="tls").passes(client_context(domain.bundle))


@test
def any_is_somebody(scene):
    """`allow = ["any"]` means any client that can prove who it is, not one that does not try"""
    domain = scene.domain()
    door = Door(scene, domain=domain, allow=["any"])
    door.refuses(client_context(domain.bundle), "no-certificate")
    door.passes(client_context(domain.bundle, domain.issue("spiffe://example.org/anybody")))


run()
