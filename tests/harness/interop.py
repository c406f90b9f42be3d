"""Results of the interoperability tests, collected into build/interop/tls.json for the table in docs/interop.md."""
import fcntl
import json
import os

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
FOLDER = os.environ.get("CIPHERWAY_INTEROP", os.path.join(ROOT, "build", "interop"))


class Report:
    """What one test file found out: `with report.case("client", "mutual-tls"):` records a pass or a failure."""

    def __init__(self, peer: str):
        self.peer = peer
        self.results: list[dict] = []

    def case(self, role: str, name: str) -> "_Case":
        """`role` is the peer's: "client" of our `from`, or "server" behind our `to`."""
        assert role in ("client", "server"), role
        return _Case(self, role, name)

    def cannot(self, role: str, name: str, why: str) -> None:
        """The peer itself has no such feature; the table says so."""
        self._add(role, name, f"not possible: {why}")

    def _add(self, role: str, name: str, result: str) -> None:
        self.results.append({"peer": self.peer, "role": role, "case": name, "result": result})
        self._write()

    def _write(self) -> None:
        parts = os.path.join(FOLDER, "tls.d")
        os.makedirs(parts, exist_ok=True)
        with open(os.path.join(FOLDER, ".lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with open(os.path.join(parts, f"{self.peer}.json"), "w") as file:
                json.dump(self.results, file)
            merged = []
            for name in sorted(os.listdir(parts)):
                with open(os.path.join(parts, name)) as file:
                    merged += json.load(file)
            scratch = os.path.join(FOLDER, "tls.json.new")
            with open(scratch, "w") as file:
                json.dump(merged, file, indent=1)
                file.write("\n")
            os.replace(scratch, os.path.join(FOLDER, "tls.json"))


class _Case:
    def __init__(self, report: Report, role: str, name: str):
        self._report, self._role, self._name = report, role, name

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        self._report._add(self._role, self._name, "pass" if error is None else "fail")
        return False
