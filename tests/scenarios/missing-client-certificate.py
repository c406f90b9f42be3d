"""Mutual TLS and a client that has no certificate: refused, whoever that client is, and tls asks for none."""
from harness import PlainStream, channel, client_context, run, test
from harness.pair import Pair
from harness.refusals import CLIENT, SERVER, Door, check_refusal


@test
def program(scene):
    """a TLS client without one: `no-certificate`; with one it passes; at a `tls` side it needs none"""
    door = Door(scene)
    door.refuses(client_context(door.domain.bundle), "no-certificate")
    door.passes(client_context(door.domain.bundle, door.domain.issue(CLIENT)))
    open_door = Door(scene, protect="tls")
    open_door.passes(client_context(open_door.domain.bundle))


@test
def curl(scene):
    """curl is told by an alert: it exits with an error and got nothing"""
    door = Door(scene)
    client = scene.process(["curl", "--silent", "--show-error", "--cacert", door.domain.bundle, "--max-time", "10",
                            "--resolve", f"server.example.org:{door.where.rpartition(':')[2]}:{door.where.rpartition(':')[0]}",
                            f"https://server.example.org:{door.where.rpartition(':')[2]}/"])
    assert client.wait() == 56, client.text
    assert "certificate required" in client.text, client.text
    check_refusal(door.node.wait_event("connection.refused"), "client", "no-certificate")


@test
def node(scene):
    """a node whose `to` says tls where the other asks for mutual-tls"""
    pair = Pair(scene, tap=False)
    where = scene.endpoint()
    wrong = scene.node("wrong", channels=[channel("out", listen={"listen": where, "protect": "none"}, to={
        "targets": [pair.inner], "protect": "tls", "trust": pair.domain.bundle, "expect": [SERVER]})])
    with PlainStream.connect(where) as stream:
        stream.send(b"question")
        try:
            assert not stream.recv()
        except ConnectionError:
            pass
    check_refusal(pair.b.wait_event("connection.refused"), "client", "no-certificate")
    assert wrong.wait_event("connection.closed")["how"] == "peer-alert from target"
    assert not pair.server.application_bytes


run()
