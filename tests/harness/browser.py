"""Debian's Chromium without a window, through playwright-core (tests/page), which `tools/setup test` installs."""
import json
import os
import select
import shutil
import subprocess

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_MODULES = os.path.join(_ROOT, "build", "page", "node_modules")
_PATIENCE = 60


class Browser:
    def __init__(self):
        if not shutil.which("chromium") or not os.path.isdir(os.path.join(_MODULES, "playwright-core")):
            raise AssertionError("chromium or build/page is missing: run tools/setup test")
        self._child = subprocess.Popen(["node", os.path.join(_ROOT, "tests", "page", "browser.cjs")], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                       env={**os.environ, "NODE_PATH": _MODULES})
        self._answer()

    def open(self, url: str, **how) -> dict:
        """how: width, height, scheme ("light", "dark")."""
        return self._ask(what="open", url=url, **how)

    def read(self) -> dict:
        """What is to be seen now: see browser.cjs."""
        return self._ask(what="read")

    def shot(self, path: str) -> None:
        self._ask(what="shot", path=path)

    def stop(self) -> None:
        self._child.stdin.close()
        try:
            self._child.wait(10)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()

    def _ask(self, **request) -> dict:
        self._child.stdin.write(json.dumps(request).encode() + b"\n")
        self._child.stdin.flush()
        answer = self._answer()
        if "failure" in answer:
            raise AssertionError(answer["failure"])
        return answer

    def _answer(self) -> dict:
        if not select.select([self._child.stdout], [], [], _PATIENCE)[0]:
            raise AssertionError("the browser does not answer")
        line = self._child.stdout.readline()
        if not line:
            raise AssertionError(f"the browser ended ({self._child.wait()})")
        return json.loads(line)
