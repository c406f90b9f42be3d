#!/usr/bin/python3
"""Our gateway against nginx (stream), HAProxy (tcp) and hitch: what a handshake, a request, a gigabyte and an idle
connection cost the relay.

Every relay has one worker on one core; the load and the backend behind the relays share the other core. Runs
alternate: every round measures each relay once, and a ratio is the median of the rounds' own ratios, because a machine
has fast and slow phases. Writes build/bench/gateway.json. See docs/performance.md.

BENCH_ROUNDS=1 is quick and coarse; BENCH_METRICS=bulk_cpu_s_per_gib,... measures some and keeps the others' results.
"""
import json
import os
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests"))
from harness import net  # noqa: E402
from harness.domain import Domain  # noqa: E402
from harness.node import Node, channel  # noqa: E402
from harness.process import program  # noqa: E402

BIN = os.path.join(ROOT, "build", "release")
RESULTS = os.path.join(ROOT, "build", "bench", "gateway.json")
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "7"))
SCALE = float(os.environ.get("BENCH_SCALE", "1"))  # less than 1: to see whether it runs, not what it costs
RELAY_CORE, LOAD_CORE = 1, 0
BACKEND_PORT = 24100
PEERS = ("nginx", "haproxy", "hitch")
OURS, KEY_INSIDE = "ours", "ours_key_in_process"
DESCRIPTORS = 12000
SATURATION = 0.7  # of what the best peer did in a closed loop: the rate of the open one


def on_core(core):
    return lambda: os.sched_setaffinity(0, {core})


def family(pid: int) -> list[int]:
    """The process and all that it started."""
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [pid] + [each for child in file.read().split() for each in family(int(child))]


class Relay:
    """One relay at an address of its own, on its core."""

    def __init__(self, name, bench, number):
        self.name = name
        self.bench = bench
        self.where = f"127.0.0.1:{BACKEND_PORT + number}"
        self.child = None
        self.node = None

    def start(self):
        getattr(self, "_" + self.name)()
        try:
            net.wait_until(lambda: net.listening(self.where), f"{self.name} to listen", 15, pause=0.05)
        except AssertionError as late:
            raise SystemExit(f"bench: {late}\n{self.story()}") from late
        if self.node:
            self.node.wait_for_tickets()
        time.sleep(0.2)
        for pid in self.pids():  # hitch's worker has gone to the first core by itself
            for thread in os.listdir(f"/proc/{pid}/task"):
                os.sched_setaffinity(int(thread), {RELAY_CORE})
        return self

    def stop(self):
        if self.node:
            self.node.stop()
        elif self.child:
            self.child.terminate()
            try:
                self.child.wait(3)
            except subprocess.TimeoutExpired:
                for pid in family(self.child.pid):
                    os.kill(pid, signal.SIGKILL)
                self.child.wait()
        self.node = self.child = None

    def story(self) -> str:
        if self.node:
            return self.node.story()
        self.bench.log.flush()
        with open(self.bench.log.name) as file:
            return file.read()[-2000:]

    def pids(self) -> list[int]:
        return family(self.node.supervisor if self.node else self.child.pid)

    def _run(self, *command):
        self.child = subprocess.Popen([program(command[0]), *command[1:]], stdin=subprocess.DEVNULL,
                                      stdout=self.bench.log, stderr=self.bench.log, cwd=self.bench.folder,
                                      preexec_fn=on_core(RELAY_CORE))

    def _nginx(self):
        config = self.bench.write("nginx.conf", f"""
            load_module /usr/lib/nginx/modules/ngx_stream_module.so;
            daemon off; pid nginx.pid; worker_processes 1; error_log stderr error;
            events {{ worker_connections 10000; }}
            stream {{
              ssl_protocols TLSv1.3; ssl_session_tickets on; ssl_session_cache none;
              ssl_certificate {self.bench.credential.certificate};
              ssl_certificate_key {self.bench.credential.key};
              server {{ listen {self.where} ssl backlog=4096; proxy_pass 127.0.0.1:{BACKEND_PORT}; }}
            }}""")
        self._run("nginx", "-p", self.bench.folder, "-c", config, "-e", "stderr")

    def _haproxy(self):
        config = self.bench.write("haproxy.cfg", f"""
global
  nbthread 1
  maxconn 5000
defaults
  mode tcp
  timeout connect 10s
  timeout client 300s
  timeout server 300s
listen relay
  bind {self.where} backlog 4096 ssl crt {self.bench.combined} ssl-min-ver TLSv1.3
  server backend 127.0.0.1:{BACKEND_PORT}
""")
        self._run("haproxy", "-db", "-f", config)

    def _hitch(self):
        host, port = self.where.split(":")
        become = 'user = "nobody"' if os.geteuid() == 0 else ""  # it refuses to run as root
        config = self.bench.write("hitch.conf", f"""
{become}
frontend = "[{host}]:{port}"
backend = "[127.0.0.1]:{BACKEND_PORT}"
pem-file = "{self.bench.combined}"
tls-protos = TLSv1.3
workers = 1
backlog = 4096
daemon = off
quiet = on
log-level = 1
""")
        self._run("hitch", "--config", config)

    def _ours(self):
        self._node()

    def _ours_key_in_process(self):
        self._node()

    def _node(self):
        program_name = "cipherway" if self.name == OURS else "cipherway_key_inside"
        credential = self.bench.credential
        self.node = Node(self.bench, self.name, {"bench": (credential, self.bench.domain.bundle)},
                         [channel("bench", listen={"listen": self.where, "protect": "tls", "identity": "bench"},
                                  to={"targets": [f"127.0.0.1:{BACKEND_PORT}"], "protect": "none"},
                                  limits={"connections": 10000, "handshakes": 1000})],
                         program=os.path.join(BIN, program_name), flags=("--log-level", "warn"), cwd=self.bench.folder,
                         preexec=on_core(RELAY_CORE))
        self.node.start(wait=False)  # that it is ready is said at a level that is not logged


class Bench:
    """Certificate, backend and relays, in a folder that goes away."""

    def __init__(self, folder):
        self.folder = folder
        self.log = open(os.path.join(folder, "relays.log"), "w")
        self.domain = Domain(os.path.join(folder, "pki"), intermediates=0)
        self.credential = self.domain.issue("bench.example.org")
        with open(self.credential.certificate) as chain, open(self.credential.key) as key:
            key_text = key.read()
            self.combined = self.write("combined.pem", chain.read() + key_text)
            self.write("key-inside.pem", key_text)
        for path in (self.folder, self.credential.certificate):
            os.chmod(path, 0o755)
        self.backend = subprocess.Popen([os.path.join(BIN, "relay_backend"), str(BACKEND_PORT)],
                                        preexec_fn=on_core(LOAD_CORE))
        net.wait_until(lambda: net.listening(f"127.0.0.1:{BACKEND_PORT}"), "the backend to listen")
        self.relays = {name: Relay(name, self, number + 1)
                       for number, name in enumerate((OURS, KEY_INSIDE, *PEERS))}

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        with open(self.path(name), "w") as file:
            file.write(text)
        os.chmod(self.path(name), 0o600)
        return self.path(name)

    def load(self, relay, kind, count, *more) -> dict:
        command = [os.path.join(BIN, "relay_load"), kind, relay.where, "--watch", ",".join(map(str, relay.pids())),
                   "--count", str(max(1, round(count * SCALE))), *map(str, more)]
        done = subprocess.run(command, capture_output=True, text=True, preexec_fn=on_core(LOAD_CORE), timeout=120)
        if done.returncode != 0:
            raise SystemExit(f"bench: {kind} through {relay.name} failed: {done.stderr}\n{relay.story()}")
        return json.loads(done.stdout)

    def stop(self):
        for relay in self.relays.values():
            relay.stop()
        self.backend.kill()
        self.backend.wait()


# What is measured: each returns (value, what the load said).

def full(bench, relay):
    said = bench.load(relay, "full", 1200, "--parallel", 16)
    return said["cpu_us"], said


def resumed(bench, relay):
    said = bench.load(relay, "resumed", 1600, "--parallel", 16)
    return said["cpu_us"], said


def request(bench, relay):
    said = bench.load(relay, "requests", 25000, "--parallel", 16)
    return said["cpu_us"], said


def bulk(streams):
    def run(bench, relay):
        said = bench.load(relay, "bulk", 8, "--parallel", streams)
        return said["cpu_us"] / 1e6 * 16, said  # an object is a sixteenth of a GiB
    return run


def idle(bench, relay):
    relay.stop()
    relay.start()
    said = bench.load(relay, "idle", 2000)
    return said["kb"], said


def paced(bench, relay):
    said = bench.load(relay, "paced", 2500, "--rate", bench.rate)
    return said["p99_ms"], said


METRICS = {
    "full_handshake_cpu_us": ("us of CPU", {"": full}),
    "resumed_handshake_cpu_us": ("us of CPU", {"": resumed}),
    "request_cpu_us": ("us of CPU", {"": request}),
    "bulk_cpu_s_per_gib": ("s of CPU per GiB", {"one_stream": bulk(1), "eight_streams": bulk(8)}),
    "idle_connection_kb": ("kB of anonymous memory", {"": idle}),
    "handshake_p99_ms": ("ms", {"": paced}),
}


def row(metric, unit, rounds, **more) -> dict:
    """`rounds`: [{relay: value}]."""
    median = {name: statistics.median(each[name] for each in rounds) for name in rounds[0]}
    ratios = {name: statistics.median(each[OURS] / each[name] for each in rounds) for name in rounds[0] if name != OURS}
    best = max(PEERS, key=lambda name: ratios[name])
    return {"metric": metric, "unit": unit, "ours": median[OURS], "peers": {name: median[name] for name in PEERS},
            "ratio_to_best_peer": ratios[best], "best_peer": best, KEY_INSIDE: median[KEY_INSIDE],
            "isolation": ratios[KEY_INSIDE], "runs": len(rounds), **more}


def measure(bench, metric) -> list[dict]:
    unit, parts = METRICS[metric]
    found = {part: [] for part in parts}
    said, speeds = {}, []
    names = list(bench.relays)
    for number in range(ROUNDS):
        for part, run in parts.items():
            values = {}
            for name in names[number % len(names):] + names[:number % len(names)]:
                values[name], said[name] = run(bench, bench.relays[name])
            found[part].append(values)
            speeds.append({name: answer.get("per_second", 0) for name, answer in said.items()})
            print(f"  {metric}{' ' + part if part else ''}, round {number + 1} of {ROUNDS}: "
                  + ", ".join(f"{name} {values[name]:.4g}" for name in names), flush=True)
    ciphers = {name: answer["cipher"] for name, answer in said.items()}
    more = {"ciphers": ciphers}
    if metric == "full_handshake_cpu_us":
        more["per_second"] = {name: statistics.median(each[name] for each in speeds) for name in names}
    if metric == "handshake_p99_ms":
        more["rate_per_second"] = bench.rate
        more["p50_ms"] = {name: answer["p50_ms"] for name, answer in said.items()}
    both = [{name: statistics.mean(found[part][number][name] for part in parts) for name in names}
            for number in range(ROUNDS)]
    rows = [row(metric, unit, both, **more)]
    if len(parts) > 1:
        rows += [row(f"{metric}.{part}", unit, rounds) for part, rounds in found.items()]
    return rows


def table(rows) -> str:
    head = ("metric", "ours", *PEERS, "ratio to best", "key in process", "isolation")
    lines = [head] + [(each["metric"], f"{each['ours']:.4g}", *(f"{each['peers'][name]:.4g}" for name in PEERS),
                       f"{each['ratio_to_best_peer']:.2f} of {each['best_peer']}", f"{each[KEY_INSIDE]:.4g}",
                       f"{each['isolation']:.3f}") for each in rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    return "\n".join("  ".join(cell.ljust(width) if i == 0 else cell.rjust(width)
                               for i, (cell, width) in enumerate(zip(line, widths))) for line in lines)


def rate_of_the_open_loop(rows) -> float:
    """From how many full handshakes a second the best peer and the load managed together."""
    for each in rows:
        if each["metric"] == "full_handshake_cpu_us":
            return SATURATION * max(each["per_second"][name] for name in PEERS)
    raise SystemExit("bench: handshake_p99_ms needs full_handshake_cpu_us to have been measured")


def main() -> None:
    wanted = [name for name in os.environ.get("BENCH_METRICS", ",".join(METRICS)).split(",") if name]
    for name in wanted:
        if name not in METRICS:
            raise SystemExit(f"bench: there is no metric {name}; there are {', '.join(METRICS)}")
    if len(os.sched_getaffinity(0)) < 2:
        raise SystemExit("bench: two cores are needed, one for the relay and one for the load")
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if most != resource.RLIM_INFINITY and most < DESCRIPTORS:
        raise SystemExit(f"bench: {DESCRIPTORS} descriptors are needed, and at most {most} may be open (ulimit -Hn)")
    resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, most))
    rows = []
    if "BENCH_METRICS" in os.environ and os.path.exists(RESULTS):
        with open(RESULTS) as file:
            rows = [each for each in json.load(file) if each["metric"].split(".")[0] not in wanted]
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="cipherway-bench-") as folder:
        bench = Bench(folder)
        try:
            for relay in bench.relays.values():
                relay.start()
            for metric in wanted:
                if metric == "handshake_p99_ms":
                    bench.rate = rate_of_the_open_loop(rows)
                rows += measure(bench, metric)
        finally:
            bench.stop()
    order = list(METRICS)
    rows.sort(key=lambda each: (order.index(each["metric"].split(".")[0]), each["metric"]))
    os.makedirs(os.path.dirname(RESULTS), exist_ok=True)
    with open(RESULTS, "w") as file:
        json.dump(rows, file, indent=1)
    print(table(rows))
    print(f"medians of {ROUNDS} rounds, {time.monotonic() - began:.0f} s; written to {os.path.relpath(RESULTS, ROOT)}")


main()
