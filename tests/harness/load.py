"""Traffic that goes on while something happens to a node, and is counted."""
import threading
import time

from . import net


class Load:
    """`kinds` is {what is counted: [visit, ...]}: each visit is called over and over by a thread of its own while the load
    runs. A visit that raises is a failure; its thread goes on. Use as a context: leaving it stops the load."""

    def __init__(self, kinds=None):
        self.failures: list[tuple[str, Exception]] = []
        self._counts: dict[str, int] = {}
        self._each: list[int] = []  # visits of every thread
        self._threads: list[threading.Thread] = []
        self._done = threading.Event()
        self._lock = threading.Lock()
        for kind, visits in (kinds or {}).items():
            self.add(kind, visits)

    def add(self, kind: str, visits) -> None:
        self._counts.setdefault(kind, 0)
        for visit in visits:
            self._each.append(0)
            self._threads.append(threading.Thread(target=self._run, args=(kind, len(self._each) - 1, visit)))

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join()

    def counts(self) -> dict[str, int]:
        return dict(self._counts)

    def let_some_pass(self, visits: int = 3, deadline: float = 20) -> None:
        """Until every thread has made so many more visits, or has failed."""
        before, failed = list(self._each), len(self.failures)
        net.wait_until(lambda: len(self.failures) > failed
                       or all(now >= was + visits for now, was in zip(self._each, before)), "traffic to go on", deadline)

    def _run(self, kind: str, number: int, visit) -> None:
        while not self._done.is_set():
            try:
                visit()
            except Exception as error:
                self.failures.append((kind, error))
                time.sleep(0.01)
                continue
            with self._lock:
                self._counts[kind] += 1
                self._each[number] += 1
