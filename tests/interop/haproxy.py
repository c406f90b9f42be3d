"""HAProxy in front of our `from`, and as TLS server behind our `to`."""
from harness.interop import BODY, HOST, Peer, get, run_peer


def combined(scene, credential) -> str:
    """HAProxy wants chain and key in one file."""
    with open(credential.certificate) as chain, open(credential.key) as key:
        return scene.write("haproxy.pem", chain.read() + key.read())


class HaProxy(Peer):
    name = "haproxy"

    def fetch(self, scene, where, trust, credential=None, alpn=None, tls12=False, twice=False) -> str:
        front = scene.endpoint()
        server = f"server s {where} ssl verify required ca-file {trust} sni str({HOST}) verifyhost {HOST}"
        server += " ssl-max-ver TLSv1.2" if tls12 else " ssl-min-ver TLSv1.3"
        if credential:
            server += f" crt {combined(scene, credential)}"
        if alpn:
            server += f" alpn {alpn}"
        self._start(scene, front, f"listen l\n bind {front}\n {server}\n")
        answer = get(front)
        return get(front) if twice else answer

    def serve(self, scene, credential, trust=None, alpn=None, tls12=False) -> str:
        where = scene.endpoint()
        bind = f"bind {where} ssl crt {combined(scene, credential)}"
        bind += " ssl-max-ver TLSv1.2" if tls12 else " ssl-min-ver TLSv1.3"
        if trust:
            bind += f" verify required ca-file {trust}"
        if alpn:
            bind += f" alpn {alpn}"
        self._start(scene, where, f"frontend f\n {bind}\n http-request return status 200 content-type text/plain "
                                  f"string {BODY}\n")
        return where

    def _start(self, scene, where, sections) -> None:
        config = scene.write("haproxy.cfg", "global\n maxconn 100\n log stderr format raw local0\n nbthread 1\ndefaults\n mode http\n log global\n timeout connect 5s\n"
                             " timeout client 10s\n timeout server 10s\n" + sections)
        scene.process(["haproxy", "-db", "-f", config]).wait_listening(where)


run_peer(HaProxy())
