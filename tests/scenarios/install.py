"""`make install`: what it puts where, that it runs from there, and that shells complete every command."""
import os
import re
import subprocess

from harness import PlainStream, channel, echo, run, test
from harness.node import Node, binary

EXPECTED = """bin/cipherway libexec/cipherway/cipherway-keyholder share/man/man1/cipherway.1 share/man/man1/cipherway-gateway.1
share/man/man5/node.toml.5 share/man/man8/cipherway-keyholder.8 lib/systemd/system/cipherway.service
lib/systemd/system/cipherway@.service lib/systemd/system/cipherway.socket lib/sysusers.d/cipherway.conf
share/bash-completion/completions/cipherway share/zsh/site-functions/_cipherway
share/fish/vendor_completions.d/cipherway.fish""".split()


def installed(scene, prefix="/usr"):
    """The root folder of an installation below DESTDIR."""
    root = scene.path("root")
    subprocess.run(["cmake", "--install", os.path.dirname(binary()), "--prefix", prefix], check=True,
                   capture_output=True, timeout=60, env={**os.environ, "DESTDIR": root})
    return root


def output(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, **options)
    assert done.returncode == 0, (command, done.stderr)
    return done.stdout


@test
def all_of_it(scene):
    """every file is in its place below PREFIX, the units name the program where it is, the manual can be read"""
    root = installed(scene, "/opt/cipherway")
    for name in EXPECTED:
        assert os.path.isfile(f"{root}/opt/cipherway/{name}"), name
    for unit in ("cipherway.service", "cipherway@.service"):
        with open(f"{root}/opt/cipherway/lib/systemd/system/{unit}") as file:
            text = file.read()
        assert "ExecStart=/opt/cipherway/bin/cipherway run " in text and "@BINDIR@" not in text, unit
    assert "cipherway gateway" in output("man", "-l", f"{root}/opt/cipherway/share/man/man1/cipherway-gateway.1",
                                         env={**os.environ, "MANWIDTH": "200"})


@test
def runs_from_there(scene):
    """the installed program finds its keyholder and carries traffic"""
    root = installed(scene)
    server = scene.server(echo)
    where = scene.endpoint()

    class Installed(Node):
        def command(self):
            return [f"{root}/usr/bin/cipherway", "run", self.config]
    node = scene.own(Installed(scene, "node", channels=[channel(
        "c", listen={"listen": where, "protect": "none"}, to={"targets": [server.where], "protect": "none"})]))
    node.start()
    with PlainStream.connect(where) as stream:
        stream.send(b"hello")
        assert stream.recv_exactly(5) == b"hello"


def commands():
    """{command: its flags}, from --help."""
    def flags(*words):
        lines = re.findall(r"^  +((?:-\w,)?--\S+)", output(binary(), *words, "--help"), re.MULTILINE)
        return {flag for line in lines for flag in line.split(",") if flag.startswith("--")}
    names = re.findall(r"^  ([a-z-]+)  ", output(binary(), "--help"), re.MULTILINE)
    return {name: flags(name) for name in names}


def check_completion(complete):
    """`complete(line)` is what a shell offers after the line."""
    known = commands()
    assert {"run", "gateway", "check", "status", "authority"} <= set(known)
    assert set(known) <= set(complete("cipherway "))
    for name, flags in known.items():
        offered = set(complete(f"cipherway {name} --"))
        assert flags <= offered, (name, flags - offered)
    assert {"--allow-uri", "--client", "--print-config"} <= set(complete("cipherway gateway --"))
    assert {"init", "issue", "bundle", "list"} <= set(complete("cipherway authority "))
    assert "--trust-domain" in complete("cipherway authority init --")


@test
def bash(scene):
    """bash completes commands and flags"""
    file = f"{installed(scene)}/usr/share/bash-completion/completions/cipherway"

    def complete(line):
        words = line.split(" ")
        script = f'source "$1"; COMP_WORDS=({" ".join(repr(w) for w in words)}); COMP_CWORD={len(words) - 1}; ' \
                 '_cipherway; printf "%s\\n" "${COMPREPLY[@]}"'
        return output("bash", "-c", script, "bash", file).split()
    check_completion(complete)


@test
def zsh(scene):
    """zsh completes commands and flags"""
    file = f"{installed(scene)}/usr/share/zsh/site-functions/_cipherway"

    def complete(line):
        words = line.split(" ")
        script = 'compadd() { shift; print -l -- "$@" }; _files() { }; ' \
                 f'words=({" ".join(repr(w) for w in words)}); CURRENT={len(words)}; complete_it() {{ source "$1" }}; ' \
                 'complete_it "$1"'
        return output("zsh", "-f", "-c", script, "zsh", file).split()
    check_completion(complete)


@test
def fish(scene):
    """fish completes commands and flags"""
    file = f"{installed(scene)}/usr/share/fish/vendor_completions.d/cipherway.fish"

    def complete(line):
        return [row.split("\t")[0] for row in
                output("fish", "--no-config", "-c", f"source {file}; complete -C '{line}'",
                       env={**os.environ, "HOME": scene.folder}).splitlines()]
    check_completion(complete)


run()
