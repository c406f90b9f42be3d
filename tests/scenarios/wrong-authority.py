"""The right name from an authority that the other side does not trust is worth nothing, on either side of a pair."""
from harness import PlainStream, channel, echo, run, test
from harness.refusals import CLIENT, SERVER


@test
def either_side(scene):
    """B with a certificate of another authority is refused by A, and A with one by B; with the same one it passes"""
    home, elsewhere = scene.domain(), scene.domain()
    for a_from, b_from, refuser, side in ((home, elsewhere, "a", "target"), (elsewhere, home, "b", "client"),
                                          (home, home, None, None)):
        server = scene.server(echo)
        inner, entry = scene.endpoint(), scene.endpoint()
        nodes = {
            "b": scene.node("b", identities={"server": (b_from.issue(SERVER), home.bundle)}, channels=[
                channel("in", listen={"listen": inner, "protect": "mutual-tls", "identity": "server", "allow": [CLIENT]},
                        to={"targets": [server.where], "protect": "none"})]),
            "a": scene.node("a", identities={"client": (a_from.issue(CLIENT), home.bundle)}, channels=[
                channel("out", listen={"listen": entry, "protect": "none"},
                        to={"targets": [inner], "protect": "mutual-tls", "identity": "client", "expect": [SERVER]})])}
        with PlainStream.connect(entry) as stream:
            stream.send(b"question")
            try:
                answer = stream.recv()
            except ConnectionError:
                answer = b""
        if refuser is None:
            assert answer == b"question"
            continue
        assert not answer and not server.application_bytes
        event = nodes[refuser].wait_event("connection.refused", side=side)
        assert event["reason"] == "unknown-authority", event


run()
