"""ALPN: the channel's list decides, the log names what was agreed, and no overlap is a refusal (RFC 7301)."""
from harness import PlainStream, TlsStream, answer_with, channel, client_context, run, server_context, test
from harness.refusals import CLIENT, SERVER, Door


@test
def from_side(scene):
    """the server's preference wins; a client without ALPN is let in; no overlap is refused"""
    door = Door(scene, listen={"alpn": ["h2", "http/1.1"]})
    credential = door.domain.issue(CLIENT)
    for offered, agreed in ((["http/1.1", "h2"], "h2"), (["http/1.1"], "http/1.1"), ([], None)):
        with TlsStream.connect(door.where, client_context(door.domain.bundle, credential, alpn=offered)) as stream:
            assert stream.tls.selected_alpn_protocol() == agreed
            stream.send(b"x")
            assert stream.recv()
    assert [e["alpn"] or None for e in door.node.events("connection.open")] == ["h2", "http/1.1", None]
    door.refuses(client_context(door.domain.bundle, credential, alpn=["imap", "pop3"]), "no-shared-alpn",
                 "offers imap pop3; accepted are h2 http/1.1")


@test
def to_side(scene):
    """what `to` offers reaches the server behind it"""
    domain = scene.domain()
    server = scene.server(answer_with(b"!"), server_context(domain.issue(SERVER), domain.bundle, alpn=["http/1.1"]))
    where = scene.endpoint()
    node = scene.node("node", identities={"client": (domain.issue(CLIENT), domain.bundle)}, channels=[channel(
        "c", listen={"listen": where, "protect": "none"},
        to={"targets": [server.where], "protect": "mutual-tls", "identity": "client", "expect": [SERVER],
            "alpn": ["h2", "http/1.1"]})])
    with PlainStream.connect(where) as stream:
        stream.send(b"?")
        assert stream.recv_exactly(1) == b"!"
    assert server.conversations[0].alpn == "http/1.1"
    assert node.wait_event("connection.open")["alpn"] == "http/1.1"


run()
