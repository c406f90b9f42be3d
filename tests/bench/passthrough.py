"""CPU seconds per GiB of relays that choose by server name and pass TLS through: ours, HAProxy, nginx, alternating.

  PYTHONPATH=tests /usr/bin/python3 tests/bench/passthrough.py [ROUNDS]

Behind the ClientHello nobody looks at a byte, so the target and the client here say no TLS either: the target sends one GiB
with sendfile, the client throws it away, and what is compared is the relay's own CPU time (/proc/PID/task/*/schedstat).
"""
import os
import socket
import statistics
import sys
import threading

from harness import TlsStream, channel, client_context
from harness.net import split_endpoint
from harness.scene import Scene

BYTES = 1 << 30
PIECE = 64 << 20


class Target:
    """Answers whatever comes with BYTES bytes."""

    def __init__(self, scene):
        self.where = scene.endpoint()
        self._source = open(scene.write("bulk", os.urandom(PIECE)), "rb")
        self._listener = socket.create_server(split_endpoint(self.where)[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            sock, _ = self._listener.accept()
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        with sock:
            sent = 0
            try:
                while sock.recv(65536) and sent < BYTES:
                    while sent < BYTES:
                        sent += os.sendfile(sock.fileno(), self._source.fileno(), sent % PIECE, PIECE - sent % PIECE)
                    sock.shutdown(socket.SHUT_WR)
            except ConnectionError:
                pass  # somebody who only looked whether we listen


def haproxy(scene, target, name, option) -> tuple[str, int]:
    where = scene.endpoint()
    config = scene.write(f"{name}.cfg", f"""global
 maxconn 100
 nbthread 1
defaults
 mode tcp
 {option}
 timeout connect 5s
 timeout client 10s
 timeout server 10s
frontend f
 bind {where}
 tcp-request inspect-delay 5s
 tcp-request content accept if {{ req_ssl_hello_type 1 }}
 use_backend b if {{ req_ssl_sni -i far.example.org }}
backend b
 server s {target}
""")
    process = scene.process(["haproxy", "-db", "-f", config]).wait_listening(where)
    return where, process.pid


def nginx(scene, target) -> tuple[str, int]:
    where = scene.endpoint()
    config = scene.write("nginx.conf", "daemon off; master_process off; pid nginx.pid; error_log stderr info;\n"
                         "load_module /usr/lib/nginx/modules/ngx_stream_module.so;\nevents { worker_connections 64; }\n"
                         f"stream {{ map $ssl_preread_server_name $to {{ far.example.org {target}; }}\n"
                         f"server {{ listen {where}; ssl_preread on; proxy_pass $to; }} }}\n")
    process = scene.process(["nginx", "-p", scene.folder, "-c", config, "-e", "stderr"]).wait_listening(where)
    return where, process.pid


def cpu_seconds(pid: int) -> float:
    tasks = f"/proc/{pid}/task"
    total = 0
    for task in os.listdir(tasks):
        with open(f"{tasks}/{task}/schedstat") as file:
            total += int(file.read().split()[0])
    return total / 1e9


def fetch(where: str, hello: bytes, buffer: bytearray) -> None:
    with socket.create_connection(split_endpoint(where)[1]) as sock:
        sock.sendall(hello)
        got = 0
        while count := sock.recv_into(buffer):
            got += count
    assert got == BYTES, f"{where} passed {got} bytes of {BYTES}"


def main(rounds: int) -> None:
    hello = TlsStream(None, client_context(verify=False), server_name="far.example.org").client_hello()
    buffer = bytearray(1 << 20)
    with Scene() as scene:
        target = Target(scene).where
        where = scene.endpoint()
        node = scene.node("node", channels=[
            channel("far", listen={"listen": where, "protect": "passthrough", "server_names": ["far.example.org"]},
                    to={"targets": [target], "protect": "passthrough"})])
        relays = {"ours": (where, node.worker()), "haproxy": haproxy(scene, target, "copying", ""),
                  "haproxy, splice": haproxy(scene, target, "splicing", "option splice-auto"),
                  "nginx": nginx(scene, target)}
        spent = {name: [] for name in relays}
        for _ in range(rounds):
            for name, (at, pid) in relays.items():
                before = cpu_seconds(pid)
                fetch(at, hello, buffer)
                spent[name].append(cpu_seconds(pid) - before)
        for name, values in spent.items():
            print(f"{name:16} {statistics.median(values):6.3f} s/GiB, ratio to ours "
                  f"{statistics.median(values) / statistics.median(spent['ours']):.2f}")


main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
