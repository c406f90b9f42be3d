"""A flood, as a program of its own: keeps up to so many connections to one address open, and makes new ones as fast as they end.

    python3 flooder.py TO KIND --hold N [--hello FILE] [--source ADDRESS | --network PREFIX/LENGTH] [--pace BYTES/S]

KIND is what a connection does: `silent` says nothing, `hello` sends the bytes of FILE (a ClientHello) and hangs up when
it is answered, `half` does the same and stays, `garbage` sends noise, `trickle` sends FILE a byte at a time. With --network
each connection comes from another random address of an IPv6 network (which must be local).
Stops at the end of its standard input, and prints what it did as JSON.
"""
import argparse
import ipaddress
import json
import os
import random
import select
import socket
import struct
import sys
import time

RESET = struct.pack("ii", 1, 0)
NOISE = bytes(random.Random(7).randbytes(64))


class Flood:
    def __init__(self, options):
        host, _, port = options.to.rpartition(":")
        self.to = (host.strip("[]"), int(port))
        self.family = socket.AF_INET6 if ":" in self.to[0] else socket.AF_INET
        self.kind = options.kind
        self.hold = options.hold
        self.source = options.source
        self.network = ipaddress.ip_network(options.network) if options.network else None
        self.pace = options.pace
        self.hello = open(options.hello, "rb").read() if options.hello else b""
        self.random = random.Random(os.getpid())
        self.epoll = select.epoll()
        self.open = {}  # descriptor -> [socket, bytes sent]
        self.counts = {"connections": 0, "failed": 0, "answered": 0, "ended_by_peer": 0, "most_open": 0}

    def local_address(self):
        if self.network is None:
            return self.source and (self.source, 0)
        number = int(self.network.network_address) + self.random.getrandbits(128 - self.network.prefixlen)
        return str(ipaddress.ip_address(number)), 0

    def connect(self) -> None:
        sock = socket.socket(self.family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        sock.setsockopt(socket.IPPROTO_IP, 24, 1)  # IP_BIND_ADDRESS_NO_PORT: ports are many
        try:
            local = self.local_address()
            if local:
                sock.bind(local)
            try:
                sock.connect(self.to)
            except BlockingIOError:
                pass
        except OSError:
            self.counts["failed"] += 1
            sock.close()
            return
        self.counts["connections"] += 1
        self.open[sock.fileno()] = [sock, 0]
        self.counts["most_open"] = max(self.counts["most_open"], len(self.open))
        self.epoll.register(sock.fileno(), select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET)

    def end(self, number: int) -> None:
        sock, _ = self.open.pop(number)
        sock.close()

    def serve(self, number: int, events: int) -> None:
        sock, sent = self.open[number]
        try:
            if events & select.EPOLLOUT and not sent:
                what = {"hello": self.hello, "half": self.hello, "garbage": NOISE}.get(self.kind)
                if what:
                    self.open[number][1] = sock.send(what)
            if events & (select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR):
                data = sock.recv(65536)
                if not data:
                    self.counts["ended_by_peer"] += 1
                    return self.end(number)
                self.counts["answered"] += 1
                if self.kind == "hello":
                    return self.end(number)
        except BlockingIOError:
            pass
        except OSError:
            self.counts["ended_by_peer"] += 1
            self.end(number)

    def trickle(self) -> None:
        for number, (sock, sent) in list(self.open.items()):
            try:
                self.open[number][1] += sock.send(self.hello[sent % len(self.hello):][:1])
            except BlockingIOError:
                pass
            except OSError:
                self.counts["ended_by_peer"] += 1
                self.end(number)

    def run(self) -> None:
        began, last = time.monotonic(), 0.0
        os.set_blocking(0, False)
        print("flooding", flush=True)
        while True:
            try:
                if os.read(0, 1) == b"":
                    break
            except BlockingIOError:
                pass
            for _ in range(min(200, self.hold - len(self.open))):
                self.connect()
            for number, events in self.epoll.poll(0.01, 1000):
                if number in self.open:
                    self.serve(number, events)
            if self.kind == "trickle" and time.monotonic() - last > 1 / self.pace:
                last = time.monotonic()
                self.trickle()
        seconds = time.monotonic() - began
        print(json.dumps({**self.counts, "seconds": round(seconds, 2), "open": len(self.open),
                          "per_second": round(self.counts["connections"] / seconds)}), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("to")
    parser.add_argument("kind", choices=["silent", "hello", "half", "garbage", "trickle"])
    parser.add_argument("--hold", type=int, default=1000)
    parser.add_argument("--hello")
    parser.add_argument("--source")
    parser.add_argument("--network")
    parser.add_argument("--pace", type=float, default=10)
    Flood(parser.parse_args()).run()
    sys.exit(0)


if __name__ == "__main__":
    main()
