"""The commands of docs/guide/authority.md work, in their order. Control: the same with a name outside fails."""
import os
import re
import subprocess

from harness import Scene, run, test

PAGE = os.path.join(os.path.dirname(__file__), "../../docs/guide/authority.md")


def follow(scene: Scene, commands: list) -> subprocess.CompletedProcess:
    binaries = os.path.abspath(os.environ.get("CIPHERWAY_BIN", "build/release"))
    return subprocess.run(["bash", "-euxo", "pipefail", "-c", "\n".join(commands)], cwd=scene.folder, capture_output=True,
                          text=True, timeout=60, env={**os.environ, "PATH": f"{binaries}:{os.environ['PATH']}"})


def commands_of_page() -> list:
    with open(PAGE) as file:
        return re.findall(r"^```sh\n(.*?)^```", file.read(), re.MULTILINE | re.DOTALL)


@test
def works(scene: Scene):
    """the guide's commands all succeed"""
    commands = commands_of_page()
    assert len(commands) >= 6
    done = follow(scene, commands)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "storefront.pem: OK" in done.stdout and "The certificate is trusted" in done.stdout, done.stdout


@test
def can_fail(scene: Scene):
    """control: the guide with a DNS name that is not permitted fails"""
    commands = [c.replace("--name shop.example.org", "--name www.example.org") for c in commands_of_page()]
    done = follow(scene, commands)
    assert done.returncode == 1 and "www.example.org is not permitted" in done.stderr, done.stdout + done.stderr


run()
