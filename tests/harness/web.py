"""nginx as an unchanged web server behind channels."""
import os


def nginx(scene, body: bytes, name: str = "nginx") -> str:
    """Serves `body` as /; returns where it listens."""
    where = scene.endpoint()
    folder = scene.path(name)
    os.makedirs(folder)
    os.chmod(folder, 0o755)
    scene.write(f"{name}/index.html", body)
    places = "".join(f"{what}_temp_path {folder};" for what in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    config = scene.write(f"{name}/nginx.conf", "daemon off; master_process off; pid nginx.pid;\n"
                         "events { worker_connections 4096; }\n"
                         f"http {{ access_log off; keepalive_requests 1000000; {places}\n"
                         f"server {{ listen {where}; root {folder}; }} }}\n")
    scene.process(["nginx", "-p", folder, "-c", config, "-e", "stderr"]).wait_listening(where)
    return where
