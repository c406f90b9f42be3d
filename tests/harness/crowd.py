"""Floods next to a good client: who of them gets what, as figures."""
import json
import os
import resource
import ssl
import statistics
import time

from . import net
from .stream import TlsStream

FLOODER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "flooder.py")


def client_hello(context) -> bytes:
    """The first bytes of a handshake that is never continued."""
    tls = context.wrap_bio(ssl.MemoryBIO(), outgoing := ssl.MemoryBIO())
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


def raise_descriptor_limit(needed: int) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert hard >= needed, f"this test needs {needed} descriptors; the hard limit is {hard}"
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class Flood:
    """A flooder that runs until `stop`, which returns its figures."""

    def __init__(self, scene, where, kind, hold, *more):
        self.kind = kind
        self.process = scene.process(["/usr/bin/python3", FLOODER, where, kind, "--hold", hold, *more])
        self.process.wait_for("flooding")

    def stop(self) -> dict:
        self.process.close_input()
        self.process.wait(60)
        return json.loads(self.process.text.splitlines()[-1])


class Good:
    """A client that connects, makes a full handshake, asks, gets its answer and closes; again and again."""

    def __init__(self, where, context, question, answer, source=None, patience=10):
        self.where, self.context, self.source, self.patience = where, context, source, patience
        self.question, self.answer = question, answer

    def once(self) -> float:
        """Milliseconds from connecting to the whole answer; raises when there was none."""
        began = time.monotonic()
        sock = net.connect(self.where, self.patience, self.source)
        stream = TlsStream(sock, self.context)
        try:
            stream.handshake()
            stream.send(self.question)
            got = stream.recv_exactly(len(self.answer))
            assert got == self.answer, got
        finally:
            stream.close()
        return (time.monotonic() - began) * 1000

    def attempts(self, count: int) -> "Figures":
        figures = Figures()
        for _ in range(count):
            try:
                figures.took.append(self.once())
            except Exception as error:  # whatever it was, the client got no service
                figures.failures.append(repr(error))
        return figures


class Figures:
    def __init__(self):
        self.took: list[float] = []
        self.failures: list[str] = []

    @property
    def rate(self) -> float:
        return 100 * len(self.took) / (len(self.took) + len(self.failures))

    def __str__(self) -> str:
        text = f"{len(self.took)} of {len(self.took) + len(self.failures)} served ({self.rate:.1f} %)"
        if len(self.took) > 1:
            cuts = statistics.quantiles(self.took, n=100, method="inclusive")
            text += f", ms: median {cuts[49]:.1f}, 99 % {cuts[98]:.1f}, most {max(self.took):.1f}"
        return text
