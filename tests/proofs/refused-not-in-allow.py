"""A client that can prove who it is, but is not on the list, is refused.

Control: the same client passes a channel whose list has it.
"""
from harness import client_context, run, test
from harness.refusals import Door


@test
def names(scene):
    """a client whose names are not in `allow` is refused, and the log says which names it has"""
    domain = scene.domain()
    client = domain.issue("spiffe://example.org/batch/nightly/one", "batch.example.org")
    context = client_context(domain.bundle, client)
    for allow in (["spiffe://example.org/client"], ["spiffe://example.org/batch/*"], ["*.batch.example.org"],
                  ["spiffe://example.com/**"], ["spiffe://example.org/batch/nightly"]):
        event = Door(scene, domain=domain, allow=allow).refuses(context, "name-not-allowed")
        assert "spiffe://example.org/batch/nightly/one" in str(event["names"]), event
    for allow in (["spiffe://example.org/batch/**"], ["spiffe://example.org/batch/*/one"], ["*.example.org"], ["any"]):
        Door(scene, domain=domain, allow=allow).passes(context)


run()
