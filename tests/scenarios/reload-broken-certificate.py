"""A reload with a broken configuration, certificate or key changes nothing and says so."""
from harness import TlsStream, channel, client_context, echo, run, test
from harness.refusals import SERVER


@test
def broken(scene):
    """config that does not parse, missing file, garbage, key of another certificate: all refused, service goes on"""
    domain = scene.domain()
    good, other = domain.issue(SERVER), domain.issue(SERVER)
    server = scene.server(echo)
    where = scene.endpoint()
    channels = [channel("c", listen={"listen": where, "protect": "tls", "identity": "server"},
                        to={"targets": [server.where], "protect": "none"})]
    node = scene.node("node", identities={"server": (good, domain.bundle)}, channels=channels)

    def serves():
        with TlsStream.connect(where, client_context(domain.bundle)) as stream:
            stream.send(b"hello")
            assert stream.recv_exactly(5) == b"hello"
    serves()
    with open(node.config) as file:
        text = file.read()
    with open(other.key) as file:
        other_key = file.read()
    garbage = scene.write("garbage.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    broken_configs = {
        "no TOML": "[node\n",
        "unknown word": text.replace('protect = "tls"', 'protect = "tsl"'),
        "no such certificate": text.replace(good.certificate, scene.path("missing.pem")),
        "garbage for a certificate": text.replace(good.certificate, garbage),
        "no such key": text.replace(good.key, scene.path("missing.key")),
        "the key of another certificate": text.replace(good.key, scene.write("other.key", other_key)),
        "garbage for a trust bundle": text.replace(domain.bundle, garbage),
    }
    for what, config in broken_configs.items():
        node.write_config(toml=config)
        event = node.reload()
        assert event["event"] == "node.reload.failed", f"{what}: {event}"
        assert event["level"] in ("warn", "error"), event
        serves()
    node.write_config(toml=text)
    assert node.reload()["event"] == "node.reloaded"
    serves()
    assert not node.events("worker.died") and not node.events("keyholder.died")


run()
