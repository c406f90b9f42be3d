"""One test's world: a folder, addresses, and everything that was started, which is stopped when the test ends."""
import os
import shutil
import tempfile

from . import net
from .domain import Domain
from .node import Node
from .process import Process
from .servers import Server


class Scene:
    """Made by the runner, one a test. What it starts is its own, and is stopped by process id."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="cipherway-test-")
        os.chmod(self.folder, 0o755)  # workers are unprivileged, and must reach UNIX sockets in here
        self.story: list[str] = []  # what to print if the test fails
        self._started = []
        self._domains = 0
        self._names: dict[str, int] = {}

    def __enter__(self) -> "Scene":
        return self

    def __exit__(self, kind, error, trace) -> None:
        problems = []
        for thing in reversed(self._started):
            try:
                thing.stop()
            except BaseException as failure:  # the rest must still be stopped
                problems.append(failure)
        for thing in self._started:
            if hasattr(thing, "story"):
                self.story.append(thing.story())
        if os.environ.get("CIPHERWAY_KEEP"):
            self.story.append(f"kept {self.folder}")
        else:
            shutil.rmtree(self.folder, ignore_errors=True)
        if error is None and problems:
            raise problems[0]

    def own(self, thing):
        """`thing.stop()` is called when the test ends, in reverse order."""
        self._started.append(thing)
        return thing

    def path(self, name: str) -> str:
        return os.path.join(self.folder, name)

    def write(self, name: str, content) -> str:
        path = self.path(name)
        with open(path, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
        return path

    def endpoint(self, address: str | None = None) -> str:
        return net.endpoint(address)

    def domain(self, name: str = "example.org", **options) -> Domain:
        self._domains += 1
        return Domain(self.path(f"pki-{self._domains}"), name, **options)

    def server(self, behaviour, context=None, where: str | None = None) -> Server:
        return self.own(Server(where or self.endpoint(), behaviour, context))

    def node(self, name: str = "node", **config) -> Node:
        """A running node: see Node for what `config` may say."""
        self._names[name] = self._names.get(name, 0) + 1
        if self._names[name] > 1:
            name = f"{name}-{self._names[name]}"
        node = self.own(Node(self, name, **config))
        node.start()
        return node

    def process(self, command, **options) -> Process:
        """Any other program, with what it prints collected."""
        return self.own(Process(command, cwd=self.folder, **options))
