"""nginx as reverse proxy in front of our `from`, and as TLS server behind our `to`."""
from harness.interop import BODY, HOST, Peer, get, run_peer

NO_ALPN = "nginx offers no ALPN to the servers behind it"


class Nginx(Peer):
    name = "nginx"
    client_cannot = {"alpn": NO_ALPN}

    def fetch(self, scene, where, trust, credential=None, alpn=None, tls12=False, twice=False) -> str:
        front = scene.endpoint()
        lines = [f"listen {front};", f"location / {{ proxy_pass https://{where}; proxy_http_version 1.1;",
                 f"proxy_ssl_trusted_certificate {trust}; proxy_ssl_verify on; proxy_ssl_verify_depth 4;",
                 f"proxy_ssl_name {HOST}; proxy_ssl_server_name on;",
                 f"proxy_ssl_protocols {'TLSv1.2' if tls12 else 'TLSv1.3'};"]
        if credential:
            lines.append(f"proxy_ssl_certificate {credential.certificate}; proxy_ssl_certificate_key {credential.key};")
        self._start(scene, front, lines + ["}"])
        answer = get(front)
        return get(front) if twice else answer

    def serve(self, scene, credential, trust=None, alpn=None, tls12=False) -> str:
        where = scene.endpoint()
        lines = [f"listen {where} ssl;", f"server_name {HOST};", f"ssl_certificate {credential.certificate};",
                 f"ssl_certificate_key {credential.key};", f"ssl_protocols {'TLSv1.2' if tls12 else 'TLSv1.3'};",
                 f"location / {{ return 200 '{BODY}'; }}"]
        if trust:
            lines.append(f"ssl_verify_client on; ssl_client_certificate {trust}; ssl_verify_depth 4;")
        self._start(scene, where, lines)
        return where

    def _start(self, scene, where, server) -> None:
        temporary = "".join(f"{what}_temp_path {scene.folder};" for what in
                            ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        config = scene.write("nginx.conf", "daemon off; master_process off; pid nginx.pid; error_log stderr info;\n"
                             "events { worker_connections 64; }\nhttp { access_log off; " + temporary
                             + "\nserver {\n" + "\n".join(server) + "\n} }\n")
        scene.process(["nginx", "-p", scene.folder, "-c", config, "-e", "stderr"]).wait_listening(where)


run_peer(Nginx())
