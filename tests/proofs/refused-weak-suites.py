"""Even where TLS 1.2 is asked for: no suite without forward secrecy, none without authenticated encryption.

Control: the same client and server pass with ECDHE and AES-GCM or ChaCha20-Poly1305.
"""
from ssl import TLSVersion

from harness import client_context, run, test
from harness.refusals import CLIENT, SERVER, Door, Errand, tls_server

STATIC_RSA = ["AES128-GCM-SHA256", "AES256-GCM-SHA384", "AES128-SHA"]
FINITE_FIELD = ["DHE-RSA-AES128-GCM-SHA256"]
NOT_AEAD = ["ECDHE-RSA-AES128-SHA", "ECDHE-RSA-AES256-SHA384"]
GOOD = ["ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-CHACHA20-POLY1305"]


def only(suite):
    return {"minimum": TLSVersion.TLSv1_2, "maximum": TLSVersion.TLSv1_2, "ciphers": suite + ":@SECLEVEL=0"}


@test
def client(scene):
    """a client that offers static-RSA, finite-field or CBC suites alone is refused at `from`"""
    domain = scene.domain()
    door = Door(scene, domain=domain, credential=domain.issue(SERVER, key="rsa2048"), listen={"minimum_version": "1.2"})
    credential = domain.issue(CLIENT)
    for suite in STATIC_RSA + FINITE_FIELD + NOT_AEAD:
        door.refuses(client_context(domain.bundle, credential, **only(suite)), "no-shared-cipher")
    for suite in GOOD:
        door.passes(client_context(domain.bundle, credential, **only(suite)))


@test
def server(scene):
    """a server that has such suites alone is refused behind `to`"""
    domain = scene.domain()
    credential = domain.issue(SERVER, key="rsa2048")
    for suite in STATIC_RSA + NOT_AEAD:
        bad = tls_server(scene, credential, **only(suite))
        # A server without a suite in common says so itself: the alert handshake_failure.
        Errand(scene, bad.where, domain=domain, to={"minimum_version": "1.2"}).refuses(
            bad, ("no-shared-cipher", "peer-alert"), "handshake failure")
    for suite in GOOD:
        good = tls_server(scene, credential, **only(suite))
        Errand(scene, good.where, domain=domain, to={"minimum_version": "1.2"}).passes(good)


run()
