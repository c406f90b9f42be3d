"""gnutls-cli in front of our `from`, gnutls-serv behind our `to`."""
import os
import sys

from harness.interop import HOST, Peer, run_peer
from harness.net import split_endpoint


class GnuTls(Peer):
    name = "gnutls"

    def fetch(self, scene, where, trust, credential=None, alpn=None, tls12=False, twice=False) -> str:
        address, port = split_endpoint(where)[1]
        command = ["gnutls-cli", "--x509cafile", trust, "--sni-hostname", HOST, "--verify-hostname", HOST,
                   "--port", port, "--logfile", scene.path("gnutls-cli.log")]
        if credential:
            command += ["--x509certfile", credential.certificate, "--x509keyfile", credential.key]
        if alpn:
            command += ["--alpn", alpn]
        if tls12:
            command += ["--priority", "NORMAL:-VERS-ALL:+VERS-TLS1.2"]
        if twice:
            command += ["--resume", "--waitresumption"]
        client = scene.process(command + [address])
        try:
            client.send(f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        except BrokenPipeError:
            pass
        client.wait()
        with open(scene.path("gnutls-cli.log")) as log:
            said = log.read()
        if twice:
            assert "This is a resumed session" in said + client.text, said + client.text
        return said + client.text

    def serve(self, scene, credential, trust=None, alpn=None, tls12=False) -> str:
        where = scene.endpoint("::1").replace("[::1]", scene.endpoint().split(":")[0])  # a port that is free everywhere
        command = ["gnutls-serv", "--echo", "--port", split_endpoint(where)[1][1],
                   "--x509certfile", credential.certificate, "--x509keyfile", credential.key]
        if trust:
            command += ["--x509cafile", trust, "--require-client-cert", "--verify-client-cert"]
        if alpn:
            command += ["--alpn", alpn]
        if tls12:
            command += ["--priority", "NORMAL:-VERS-ALL:+VERS-TLS1.2"]
        scene.process(command).wait_listening(where)
        return where


if os.geteuid() == 0 and "CIPHERWAY_OWN_NETWORK" not in os.environ:
    # gnutls-serv listens on all addresses and cannot be told otherwise: give it a network of its own.
    os.execvpe("unshare", ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh",
                           sys.executable, *sys.argv], {**os.environ, "CIPHERWAY_OWN_NETWORK": "1"})
run_peer(GnuTls())
