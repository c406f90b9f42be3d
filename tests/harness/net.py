"""Addresses that belong to one test alone, and waiting for conditions instead of sleeping."""
import itertools
import os
import socket
import time

_ports = itertools.count(20001)


def fresh_address() -> str:
    """A loopback address that no other running test has: it is made from this process's id."""
    pid = os.getpid()
    return f"127.{64 + (pid >> 16 & 0x3F)}.{pid >> 8 & 0xFF}.{pid & 0xFF}"


def endpoint(address: str | None = None) -> str:
    """HOST:PORT that nothing listens on."""
    if address == "::1":  # there is one such address only, so ask the kernel for a port
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
            return f"[::1]:{probe.getsockname()[1]}"
    return f"{address or fresh_address()}:{next(_ports)}"


def split_endpoint(where: str):
    """(family, address for bind and connect) of HOST:PORT, [v6]:PORT or unix:PATH."""
    if where.startswith("unix:"):
        return socket.AF_UNIX, where[5:]
    host, _, port = where.rpartition(":")
    if host.startswith("["):
        return socket.AF_INET6, (host[1:-1], int(port))
    return socket.AF_INET, (host, int(port))


def connect(where: str, timeout: float = 10, source: str | None = None) -> socket.socket:
    """`source`: the local address to come from."""
    family, address = split_endpoint(where)
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.settimeout(timeout)
    try:
        if source:
            sock.bind((source, 0))
        sock.connect(address)
        if family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except BaseException:
        sock.close()
        raise
    return sock


def wait_until(condition, what: str, deadline: float = 15, pause: float = 0.01):
    """The first true value of `condition()`; fails with `what` when `deadline` seconds have passed without one."""
    end = time.monotonic() + deadline
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {deadline} s in vain for {what}")
        time.sleep(pause)


def listening(where: str) -> bool:
    try:
        connect(where, 1).close()
        return True
    except OSError:
        return False
