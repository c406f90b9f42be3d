"""KeyUpdate (RFC 8446, section 4.6.3) in the middle of traffic changes nothing; a flood of them ends the connection."""
import hashlib
import os
import socket
import threading

from harness import PlainStream, channel, client_context, echo, run, test, wait_until
from harness.libssl import NOT_REQUESTED, REQUESTED, Connection, Failed
from harness.net import connect, split_endpoint
from harness.process import MEMORY_TELLS, anonymous_kb
from harness.refusals import SERVER
from harness.stream import TlsStream

PIECE = os.urandom(1 << 16)
PIECES = 300
FLOOD = 20_000


def door(scene, behaviour=echo, **options):
    domain, where = scene.domain(), scene.endpoint()
    server = scene.server(behaviour)
    node = scene.node("door", identities={"server": (domain.issue(SERVER), domain.bundle)}, channels=[
        channel("door", listen={"listen": where, "protect": "tls", "identity": "server"},
                to={"targets": [server.where], "protect": "none"}, **options)])
    return node, where, domain


def converse(stream: Connection, kind: int) -> None:
    """20 MB of echo, with new keys for each 64 kB while they are on their way."""
    digest = hashlib.sha256()
    for _ in range(PIECES):
        stream.send(PIECE)
        stream.update_keys(kind)
        digest.update(stream.recv_exactly(len(PIECE)))
    assert digest.digest() == hashlib.sha256(PIECE * PIECES).digest()


@test
def by_the_client(scene):
    """a client takes new keys for each 64 kB, and has us take new ones too: 20 MB arrive as they were"""
    node, where, _ = door(scene)
    for number, kind in enumerate((NOT_REQUESTED, REQUESTED)):
        stream = Connection(connect(where))
        converse(stream, kind)
        stream.close()
        assert node.wait_event("connection.closed", count=number + 1)["how"] == "closed"


@test
def by_the_target(scene):
    """so does a server behind `to`"""
    domain, where = scene.domain(), scene.endpoint()
    credential = domain.issue(SERVER)
    failures: list = []

    def serve(stream, conversation):
        try:
            mine = Connection(stream.sock, credential, server_side=True)
            for turn in range(PIECES):
                data = mine.recv_exactly(len(PIECE))
                mine.update_keys(REQUESTED if turn % 2 else NOT_REQUESTED)
                mine.send(data)
            mine.recv()
        except Failed as error:
            failures.append(error)
    node = scene.node("errand", channels=[
        channel("errand", listen={"listen": where, "protect": "none"},
                to={"targets": [scene.server(serve).where], "protect": "tls", "trust": domain.bundle, "expect": [SERVER]})])
    with PlainStream.connect(where) as stream:
        for _ in range(PIECES):
            stream.send(PIECE)
            assert stream.recv_exactly(len(PIECE)) == PIECE, failures
    node.wait_event("connection.closed")
    assert not failures, failures


@test
def flood(scene):
    """KeyUpdates without end and without data: the connection is ended, the worker stays small, others are served"""
    node, where, domain = door(scene)
    good = client_context(domain.bundle)

    def served() -> bool:
        with TlsStream.connect(where, good) as stream:
            stream.send(b"hello")
            return stream.recv_exactly(5) == b"hello"
    assert served()
    before, worker = anonymous_kb(node.worker()), node.worker()
    attackers = [Connection(connect(where)) for _ in range(4)]

    def attack(stream: Connection) -> None:
        try:  # never reads: the answers have nowhere to go
            for _ in range(FLOOD):
                stream.update_keys(REQUESTED)
        except Failed:
            pass
    threads = [threading.Thread(target=attack, args=(stream,)) for stream in attackers]
    for thread in threads:
        thread.start()
    assert all(served() for _ in range(20))
    for number in range(len(attackers)):
        event = wait_until(lambda n=number: len(found := node.events("connection.closed", how="protocol-error from client"))
                           > n and found[n], "the flood to be ended", 30)
        assert "KeyUpdate" in event["detail"], event
    for thread in threads:
        thread.join()
    assert node.worker() == worker
    assert not MEMORY_TELLS or anonymous_kb(worker) - before < 2000, f"{before} kB -> {anonymous_kb(worker)} kB"
    assert served()


@test
def unread_answers(scene):
    """few at a time, with data between, and the answers never read: ended before they fill the memory"""
    heard = [0]

    def count(stream, conversation):
        while data := stream.recv():
            heard[0] += len(data)
    node, where, _ = door(scene, count)
    worker = node.worker()
    before = anonymous_kb(worker)
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # so that the answers are in the worker, not in the kernel
    sock.connect(split_endpoint(where)[1])
    attacker = Connection(sock)
    try:
        for turn in range(1, 20_000):
            for _ in range(60):
                attacker.update_keys(REQUESTED)
            attacker.send(b"x")
            wait_until(lambda turn=turn: heard[0] >= turn or node.events("connection.closed"), "the byte to arrive", pause=0)
        raise AssertionError("a million answers to KeyUpdates were kept for a client that does not read them")
    except Failed:
        pass
    assert "does not read" in node.wait_event("connection.closed")["detail"]
    assert not MEMORY_TELLS or anonymous_kb(worker) - before < 6000, f"{before} kB -> {anonymous_kb(worker)} kB"


run()
