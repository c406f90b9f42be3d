"""openssl s_client in front of our `from`, openssl s_server behind our `to`."""
from harness.interop import BODY, HOST, Peer, run_peer


class OpenSsl(Peer):
    name = "openssl"

    def fetch(self, scene, where, trust, credential=None, alpn=None, tls12=False, twice=False) -> str:
        command = ["openssl", "s_client", "-connect", where, "-CAfile", trust, "-servername", HOST,
                   "-verify_hostname", HOST, "-verify_return_error", "-ign_eof"]
        if credential:
            command += ["-cert", credential.certificate, "-cert_chain", credential.certificate, "-key", credential.key]
        if alpn:
            command += ["-alpn", alpn]
        if tls12:
            command.append("-tls1_2")
        session = scene.path("session")
        answer = self._ask(scene, command + ["-sess_out", session])
        if twice:
            answer = self._ask(scene, command + ["-sess_in", session])
            assert "Reused, TLS" in answer, answer
        return answer

    def _ask(self, scene, command) -> str:
        client = scene.process(command)
        try:
            client.send(f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        except BrokenPipeError:
            pass
        client.wait()
        return client.text

    def serve(self, scene, credential, trust=None, alpn=None, tls12=False) -> str:
        where = scene.endpoint()
        scene.write("index.html", BODY)
        command = ["openssl", "s_server", "-accept", where, "-cert", credential.certificate, "-cert_chain",
                   credential.certificate, "-key", credential.key, "-WWW"]
        if trust:
            command += ["-Verify", "3", "-verify_return_error", "-CAfile", trust]
        if alpn:
            command += ["-alpn", alpn]
        if tls12:
            command.append("-tls1_2")
        scene.process(command).wait_listening(where)
        return where


run_peer(OpenSsl())
