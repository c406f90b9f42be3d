"""stunnel in front of our `from`, and behind our `to`."""
from harness import http
from harness.interop import BODY, HOST, Peer, get, run_peer

NO_ALPN = "stunnel has no option for ALPN"


class Stunnel(Peer):
    name = "stunnel"
    client_cannot = {"alpn": NO_ALPN}
    server_cannot = {"alpn": NO_ALPN}

    def fetch(self, scene, where, trust, credential=None, alpn=None, tls12=False, twice=False) -> str:
        front = scene.endpoint()
        self._start(scene, front, ["client = yes", f"accept = {front}", f"connect = {where}", "verifyChain = yes",
                                   f"CAfile = {trust}", f"checkHost = {HOST}", f"sni = {HOST}"], credential, tls12)
        answer = get(front)
        return get(front) if twice else answer

    def serve(self, scene, credential, trust=None, alpn=None, tls12=False) -> str:
        where = scene.endpoint()
        inner = scene.server(http(BODY.encode()))
        lines = ["client = no", f"accept = {where}", f"connect = {inner.where}"]
        if trust:
            lines += ["verifyChain = yes", "requireCert = yes", f"CAfile = {trust}"]
        self._start(scene, where, lines, credential, tls12)
        return where

    def _start(self, scene, where, lines, credential, tls12) -> None:
        if credential:
            lines = lines + [f"cert = {credential.certificate}", f"key = {credential.key}"]
        lines = lines + ["sslVersionMax = TLSv1.2" if tls12 else "sslVersionMin = TLSv1.3"]
        config = scene.write("stunnel.conf", "foreground = yes\npid =\ndebug = info\nsyslog = no\n[channel]\n"
                             + "\n".join(lines) + "\n")
        scene.process(["stunnel", config]).wait_listening(where)


run_peer(Stunnel())
