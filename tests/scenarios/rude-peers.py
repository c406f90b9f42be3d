"""Clients and servers that end connections in every unkind way there is, two thousand times: nothing dies, hangs or is kept."""
import random
import socket
import struct
import threading

from harness import PlainStream, Refused, TlsStream, Truncated, channel, client_context, run, server_context, test, wait_until
from harness.net import connect
from harness.process import MEMORY_TELLS, anonymous_kb, descriptors
from harness.refusals import CLIENT, SERVER

CONNECTIONS = 2000
THREADS = 8
EXPECTED = (Refused, Truncated, OSError, AssertionError)


def reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def client_hello(context) -> bytes:
    """What a client says first."""
    import ssl
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    try:
        context.wrap_bio(incoming, outgoing).do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


def rude_client(where: str, context, chance: random.Random) -> None:
    """One connection, ended at a moment and in a way of chance."""
    how = chance.randrange(9)
    end = chance.choice([socket.socket.close, reset])
    if how < 3 or context is None:
        sock = connect(where)
        if how == 1 and context:
            hello = client_hello(context)
            sock.sendall(hello[:chance.randrange(len(hello) + 1)])
        elif how == 2:
            sock.sendall(chance.randbytes(chance.randrange(1, 3000)))
        elif context is None:
            sock.sendall(b"a question" * chance.randrange(1, 5000))
            if chance.random() < 0.5:
                sock.shutdown(socket.SHUT_WR)
            if chance.random() < 0.5:
                sock.recv(1000)
        end(sock)
        return
    stream = TlsStream.connect(where, context)
    if how > 4:
        stream.send(b"a question" * chance.randrange(1, 5000))
    if how == 6:
        stream.close_write()
        stream.send_raw(chance.randbytes(100))
    if how == 7:
        stream.send_raw(chance.randbytes(500))
    if how == 8:
        stream.recv(1000)
        stream.close_write()
    end(stream.sock)


def rude_server(chance: random.Random):
    def behaviour(stream, conversation):
        how = chance.randrange(7)
        if how == 1:
            reset(stream.sock)
            raise ConnectionResetError
        if how == 2:
            stream.send(b"an answer" * chance.randrange(1, 20_000))
        if how == 3:
            stream.close_write()
            while stream.recv():
                pass
        if how == 4:
            stream.recv()
            stream.send(b"an answer" * chance.randrange(1, 20_000))
            reset(stream.sock)
            raise ConnectionResetError
        if how == 5 and isinstance(stream, TlsStream):
            stream.send_raw(chance.randbytes(300))
            stream.recv()
        if how == 6:
            while stream.recv():
                pass
            stream.send(b"the end")
    return behaviour


@test
def rudeness(scene):
    """2,000 connections over plain, TLS and mutual-TLS sides, each end unkind: as many descriptors and kB as before"""
    seed = 11
    domain = scene.domain()
    credential, mine = domain.issue(SERVER), domain.issue(CLIENT)
    plain = scene.server(rude_server(random.Random(seed)))
    tls = scene.server(rude_server(random.Random(seed + 1)), server_context(credential, domain.bundle))
    dead = scene.endpoint()
    sides = {"plain": {"protect": "none"}, "tls": {"protect": "tls", "identity": "server"},
             "mutual": {"protect": "mutual-tls", "identity": "server", "allow": [CLIENT]}}
    where, channels = {}, []
    for name, side in sides.items():
        for kind, to in (("plain", {"targets": [plain.where], "protect": "none"}),
                         ("tls", {"targets": [dead, tls.where], "protect": "mutual-tls", "identity": "client",
                                  "expect": [SERVER]})):
            where[name, kind] = scene.endpoint()
            channels.append(channel(f"{name}-{kind}", listen={"listen": where[name, kind], **side}, to=to,
                                    timeouts={"handshake": "1s", "idle": "500ms"}, eject={"failures": 0}))
    node = scene.node("node", identities={"server": (credential, domain.bundle), "client": (mine, domain.bundle)},
                      channels=channels)
    contexts = {"plain": None, "tls": client_context(domain.bundle), "mutual": client_context(domain.bundle, mine)}
    worker = node.worker()

    def storm(count: int, number: int) -> None:
        chance = random.Random(number)

        def work(own: random.Random) -> None:
            for _ in range(count // THREADS):
                name, kind = own.choice(list(where))
                try:
                    rude_client(where[name, kind], contexts[name], own)
                except EXPECTED:
                    pass
        threads = [threading.Thread(target=work, args=(random.Random(chance.random()),)) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        wait_until(lambda: node.status()["sessions"]["open"] == 0, "all connections to end", 30, pause=0.1)

    def kept() -> tuple[int, int]:
        assert node.worker() == worker, "the worker died"
        return anonymous_kb(worker), len(descriptors(worker))
    storm(CONNECTIONS // 4, 1)
    memory, files = kept()
    storm(CONNECTIONS, 2)
    wait_until(lambda: kept()[1] == files, "descriptors to be given back")
    assert not MEMORY_TELLS or kept()[0] - memory < 1500, f"{memory} kB -> {kept()[0]} kB"
    ends = {event["how"] for event in node.events("connection.closed")}
    assert len(ends) > 4, f"the peers were not as rude as this test believes: {ends}"
    assert not node.noise() and not node.events("worker.died")
    with PlainStream.connect(where["plain", "plain"]) as stream:
        stream.send(b"still there")


run()
