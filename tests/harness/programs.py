"""Unchanged programs at both ends of a channel: what they do there, and what came of it in build/interop/programs.json.

A file in tests/interop makes one Program and marks its cases; each is a test, and a row of the table in
docs/interop.md.
"""
import os

from .interop import record
from .runner import test


class Program:
    def __init__(self, name: str):
        self.name = name
        self._results: list[dict] = []

    def case(self, path: str):
        """Marks `function(scene)` as a test. `path` says through what it goes; the docstring says what passes."""
        def mark(function):
            what = function.__doc__.strip().splitlines()[0]

            def attempt(scene):
                result = "fail"
                try:
                    function(scene)
                    result = "pass"
                finally:
                    self._results.append({"program": self.name, "path": path, "case": what, "result": result})
                    record("programs", self.name, self._results)
            attempt.__name__, attempt.__doc__ = function.__name__, function.__doc__
            return test(attempt)
        return mark


def unprivileged(user: str) -> dict:
    """Options for a process that refuses to be root: it becomes `user`, if the test is root."""
    return {"user": user, "group": user, "extra_groups": []} if os.getuid() == 0 else {}


def give_to(path: str, user: str) -> str:
    """`path`, which `user` owns from now on, if the test is root."""
    if os.getuid() == 0:
        import pwd
        entry = pwd.getpwnam(user)
        os.chown(path, entry.pw_uid, entry.pw_gid)
    return path
