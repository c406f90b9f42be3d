"""`cipherway gateway`: one channel said in flags, both ways, is the node of `cipherway run`."""
import os
import re
import shlex
import signal
import subprocess

from harness import PlainStream, Refused, TlsStream, Truncated, client_context, echo, run, test, wait_until
from harness.node import Node, binary
from harness.process import alive
from harness.refusals import CLIENT, SERVER


class Flags(Node):
    """A node that is started by flags; what else a Node can do stays."""

    def __init__(self, scene, name, flags, env=None):
        super().__init__(scene, name, toml="")
        self.flags, self.state_folder = flags, scene.path(f"{name}-run")
        os.makedirs(self.state_folder, exist_ok=True)
        self._env = {"XDG_RUNTIME_DIR": self.state_folder, **(env or {})}

    def command(self):
        return [binary(), "gateway", "--workers=1", *self.flags]

    def status(self):
        import json
        done = subprocess.run([binary(), "status", "--json", "--state", self.wait_event("node.starting")["state"]],
                              capture_output=True, timeout=20, check=True)
        return json.loads(done.stdout)


def gateway(scene, name, *flags, **options):
    node = scene.own(Flags(scene, name, list(flags), **options))
    return node.start()


def files(credential, domain):
    return ["--cert", credential.certificate, "--key", credential.key, "--cacert", domain.bundle]


def said(*flags):
    """(exit status, standard output, standard error) of a gateway that should not run."""
    done = subprocess.run([binary(), "gateway", *flags], capture_output=True, text=True, timeout=20)
    return done.returncode, done.stdout, done.stderr


def round_trip(stream, data=b"hello"):
    stream.send(data)
    assert stream.recv_exactly(len(data)) == data


@test
def both_modes(scene):
    """a client gateway and a server gateway carry an unchanged client to an unchanged server over mutual TLS"""
    domain = scene.domain()
    server = scene.server(echo)
    middle, entry = scene.endpoint(), scene.endpoint()
    behind = gateway(scene, "server", "server", "--listen", middle, "--target", server.where,
                     *files(domain.issue(SERVER, "server.example.org"), domain), "--allow-uri", CLIENT)
    front = gateway(scene, "client", "--client", "--listen", entry, "--target", middle,
                    *files(domain.issue(CLIENT), domain), "--allow-uri", SERVER)
    with PlainStream.connect(entry) as stream:
        round_trip(stream, b"x" * 100_000)
    opened = behind.wait_event("connection.open")
    assert opened["client"] == CLIENT and opened["protocol"] == "TLSv1.3", opened
    for node in (front, behind):
        assert len(node.workers()) == 1 and node.keyholder(), "the same processes as `cipherway run`"
        held = {row["key"]: row["process"] for row in node.status()["exposure"]}
        assert held["private key of gateway"] == "keyholder", held


@test
def words_of_ghostunnel(scene):
    """the same, said with ghostunnel's own flags"""
    domain = scene.domain()
    server = scene.server(echo)
    middle, entry = scene.endpoint(), scene.endpoint()
    gateway(scene, "server", "server", f"--listen={middle}", f"--target={server.where}",
            *files(domain.issue("server.example.org"), domain), "--allow-all", "--shutdown-timeout=5m")
    gateway(scene, "client", "client", f"--listen={entry}", f"--target={middle}",
            *files(domain.issue("client.example.org"), domain), "--verify-dns=server.example.org",
            "--override-server-name=server.example.org", "--connect-timeout=10s")
    with PlainStream.connect(entry) as stream:
        round_trip(stream)


@test
def refuses(scene):
    """who is not named is refused and logged; without a certificate there is no way in. Control: who is named passes"""
    domain = scene.domain()
    server = scene.server(echo)
    where = scene.endpoint()
    node = gateway(scene, "door", "--listen", where, "--target", server.where,
                   *files(domain.issue("server.example.org"), domain), "--allow-uri", CLIENT)
    stranger = domain.issue("spiffe://example.org/stranger")
    for credential, reason in ((stranger, "name-not-allowed"), (None, "no-certificate")):
        seen = len(node.events("connection.refused"))
        try:
            with TlsStream.connect(where, client_context(domain.bundle, credential)) as stream:
                stream.send(b"hello")
                got = stream.recv()
        except (Refused, Truncated, OSError):
            got = b""
        assert not got
        assert node.wait_event("connection.refused", count=seen + 1)["reason"] == reason
    with TlsStream.connect(where, client_context(domain.bundle, domain.issue(CLIENT))) as stream:
        round_trip(stream)


@test
def wrong_server(scene):
    """with --client, a server of another name gets no byte"""
    domain = scene.domain()
    server = scene.server(echo)
    middle, entry = scene.endpoint(), scene.endpoint()
    gateway(scene, "server", "--listen", middle, "--target", server.where,
            *files(domain.issue("other.example.org"), domain), "--allow-any")
    front = gateway(scene, "client", "--client", "--listen", entry, "--target", middle,
                    *files(domain.issue("client.example.org"), domain), "--allow-dns", "server.example.org")
    try:
        with PlainStream.connect(entry) as stream:
            stream.send(b"hello")
            assert not stream.recv()
    except OSError:
        pass
    assert front.wait_event("connection.refused")["side"] == "target"
    assert server.application_bytes == 0


@test
def without_client_certificates(scene):
    """--no-client-auth is TLS with a certificate on one side, in both modes"""
    domain = scene.domain()
    server = scene.server(echo)
    middle, entry = scene.endpoint(), scene.endpoint()
    credential = domain.issue("server.example.org")
    gateway(scene, "server", "--listen", middle, "--target", server.where, "--cert", credential.certificate,
            "--key", credential.key, "--no-client-auth")
    gateway(scene, "client", "client", "--listen", entry, "--target", middle, "--cacert", domain.bundle,
            "--disable-authentication", "--server-name", "server.example.org")
    with PlainStream.connect(entry) as stream:
        round_trip(stream)


@test
def says_what_is_wrong(scene):
    """a wrong flag is a usage error that names the flag: exit 2; a file that cannot be used: exit 1"""
    domain = scene.domain()
    good = domain.issue("server.example.org")
    start = ["--listen", "127.0.0.1:1", "--target", "127.0.0.1:2"]
    usage = {
        (*start, *files(good, domain)): "--allow-uri: ",
        (*start, *files(good, domain), "--allow-any", "--idle-timeout", "soon"): "--idle-timeout: ",
        (*start, "--target", "nowhere", *files(good, domain), "--allow-any"): "--target: ",
        (*start, "--target", "192.0.2.1:80", *files(good, domain), "--allow-any"): "--unsafe-target",
        ("--listen", "192.0.2.1", *start[2:], *files(good, domain), "--allow-any"): "--listen: ",
        (*start, "--allow-cn", "x"): "--allow-dns",
        (*start, "--alow-uri", "x"): "did you mean \"--allow-uri\"",
        ("--target", "127.0.0.1:2"): "--listen",
        (*start, "--client", *files(good, domain)): "--server-name",
    }
    for flags, text in usage.items():
        status, out, err = said(*flags)
        assert status == 2 and not out and text in err, (flags, status, out, err)
        assert "cipherway gateway:" not in err and "channel \"" not in err, f"a place that is in no file: {err}"
    status, _, err = said(*start, *files(good, domain), "--allow-uri", "spiffe://Example/**/x")
    assert status in (1, 2) and err.startswith("--allow-uri: "), (status, err)
    missing = {"--cert": scene.path("none.pem"), "--key": scene.path("none.key"), "--cacert": scene.path("none-ca.pem")}
    for flag, path in missing.items():
        flags = dict(zip(*[iter(files(good, domain))] * 2)) | {flag: path}
        status, _, err = said(*start, *[word for pair in flags.items() for word in pair], "--allow-any")
        assert status == 1 and f"{flag}: " in err and path in err, (flag, status, err)


@test
def prints_its_config(scene):
    """--print-config prints a node.toml that passes `cipherway check --files` and runs as the flags do"""
    domain = scene.domain()
    server = scene.server(echo)
    where = scene.endpoint()
    flags = ["--listen", where, "--target", server.where, *files(domain.issue("server.example.org"), domain),
             "--allow-uri", CLIENT, "--state", scene.path("printed.state"), "--workers", "1"]
    status, text, err = said(*flags, "--print-config")
    assert status == 0 and not err, err
    node = scene.own(Node(scene, "printed", toml=text))
    checked = subprocess.run([binary(), "check", "--files", node.config], capture_output=True, text=True, timeout=20)
    assert checked.returncode == 0, checked.stderr
    node.start()
    with TlsStream.connect(where, client_context(domain.bundle, domain.issue(CLIENT))) as stream:
        round_trip(stream)
    both = said("client", "--listen", "unix:in.sock", "--target", "192.0.2.1:1", *files(domain.issue("a.example.org"), domain),
                "--allow-dns", "b.example.org", "--print-config")
    assert both[0] == 0 and f"unix:{os.getcwd()}/in.sock" in both[1], both


@test
def guide(scene):
    """the commands of docs/guide/from-ghostunnel-and-stunnel.md do what it says"""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs/guide/from-ghostunnel-and-stunnel.md")
    with open(path) as file:
        blocks = re.findall(r"```sh\n(.*?)```", file.read(), re.DOTALL)
    assert len(blocks) == 4, "a block that this test does not know"
    server = scene.server(echo)
    middle, entry = scene.endpoint(), scene.endpoint()
    for written, real in (("127.0.0.1:8080", server.where), ("0.0.0.0:8443", middle), ("192.0.2.10:8443", middle),
                          ("127.0.0.1:8081", entry)):
        assert any(written in block for block in blocks)
        blocks = [block.replace(written, real) for block in blocks]
    tools = {**os.environ, "PATH": f"{os.path.dirname(binary())}:{os.environ['PATH']}"}

    def shell(text):
        subprocess.run(["sh", "-e", "-c", text], cwd=scene.folder, env=tools, check=True, capture_output=True, timeout=60)
    shell(blocks[0])
    shell(blocks[3].replace("cipherway run node.toml", ""))

    def started(name, block):
        flags = shlex.split(block.replace("\\\n", " "))[2:]
        flags = [scene.path(word) if word.endswith((".pem", ".key")) else word for word in flags]
        return gateway(scene, name, *flags)
    started("server", blocks[1])
    started("client", blocks[2])
    with PlainStream.connect(entry) as stream:
        round_trip(stream)


@test
def state_of_its_own(scene):
    """the state directory is made and removed; what a killed gateway left is removed by the next, what lives is not"""
    domain = scene.domain()
    server = scene.server(echo)
    common = ["--target", server.where, *files(domain.issue("server.example.org"), domain), "--allow-any"]

    def start(name):
        node = Flags(scene, name, ["--listen", scene.endpoint(), *common])
        node._env["XDG_RUNTIME_DIR"] = scene.folder
        return scene.own(node).start()

    def states():
        return {entry for entry in os.listdir(scene.folder) if entry.startswith("cipherway-gateway-")}
    first, second = start("first"), start("second")
    assert len(states()) == 2
    family = first.processes()
    first.signal(signal.SIGKILL)
    first.wait_exit()
    for pid, _ in family:
        wait_until(lambda: not alive(pid), "the children of a killed gateway to end")
    assert len(states()) == 2, "the control: a killed gateway leaves its directory"
    third = start("third")
    assert len(states()) == 2, "the directory that was left is gone, the other two are in use"
    assert second.status()["node"]["phase"] == third.status()["node"]["phase"] == "serving"
    for node in (second, third):
        node.signal(signal.SIGTERM)
        assert node.wait_exit() == 0
    assert not states()
    assert oct(os.stat(scene.folder).st_mode)[-3:] == "755"


@test
def reloads(scene):
    """HUP takes up a new certificate; one that is broken changes nothing, and the log names the flag"""
    domain = scene.domain()
    server = scene.server(echo)
    where = scene.endpoint()
    used, new = domain.issue("server.example.org"), domain.issue("server.example.org")
    node = gateway(scene, "door", "--listen", where, "--target", server.where, *files(used, domain), "--allow-any")
    context = client_context(domain.bundle, domain.issue(CLIENT))

    def shown():
        with TlsStream.connect(where, context) as stream:
            from cryptography import x509
            return x509.load_der_x509_certificate(stream.tls.getpeercert(binary_form=True)).serial_number
    assert shown() == used.x509.serial_number
    os.replace(new.key, used.key)
    os.replace(new.certificate, used.certificate)
    node.reload()
    wait_until(lambda: shown() == new.x509.serial_number, "the new certificate")
    scene.write(os.path.relpath(used.certificate, scene.folder), "no certificate")
    failed = node.reload()
    assert failed["event"] == "node.reload.failed" and failed["problem"].startswith("--cert: "), failed
    assert shown() == new.x509.serial_number


run()
