"""curl in front of our `from`. It is no server."""
from harness.interop import HOST, Peer, run_peer
from harness.net import split_endpoint


class Curl(Peer):
    name = "curl"
    has_server = False

    def fetch(self, scene, where, trust, credential=None, alpn=None, tls12=False, twice=False) -> str:
        address, port = split_endpoint(where)[1]
        url = f"https://{HOST}:{port}/"
        command = ["curl", "--silent", "--show-error", "--verbose", "--cacert", trust, "--max-time", "20",
                   "--resolve", f"{HOST}:{port}:{address}"]
        if credential:
            command += ["--cert", credential.certificate, "--key", credential.key]
        if not alpn:
            command.append("--no-alpn")
        if tls12:
            command += ["--tlsv1.2", "--tls-max", "1.2"]
        client = scene.process(command + [url] * (2 if twice else 1))
        client.wait()
        return client.text


run_peer(Curl())
