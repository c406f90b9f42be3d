"""WebSocket (RFC 6455) by python3-websockets, as client in front of channels and as server behind."""
import asyncio
import ssl
import threading

import websockets

from harness import channel, run
from harness.net import split_endpoint
from harness.pair import Pair
from harness.programs import Program
from harness.refusals import SERVER

program = Program("WebSocket")
HOST = "server.example.org"


class EchoServer:
    """Sends every message back, in a thread of its own; `ended` has the close code of each connection."""

    def __init__(self, scene):
        self.where = scene.endpoint()
        self.ended: list[int] = []
        self._loop = asyncio.new_event_loop()
        up = threading.Event()
        threading.Thread(target=self._run, args=(up,), daemon=True).start()
        assert up.wait(10)
        scene.own(self)

    def _run(self, up) -> None:
        async def serve():
            address, port = split_endpoint(self.where)[1]
            self._server = await websockets.serve(self._echo, address, port, max_size=1 << 25, ping_interval=0.2)
            up.set()
        self._loop.run_until_complete(serve())
        self._loop.run_forever()

    async def _echo(self, socket) -> None:
        async for message in socket:
            if message == "close, please":
                await socket.close(4001, "as you wish")
                break
            await socket.send(message)
        await socket.wait_closed()
        self.ended.append(socket.close_code)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)


async def talk(url: str, **options) -> None:
    """Messages of all sizes, pings both ways, and the close handshake begun by either side."""
    async with websockets.connect(url, max_size=1 << 25, **options) as socket:
        for size in (0, 1, 125, 126, 65_535, 65_536, 10_000_000):  # where the length of a frame is written otherwise
            await socket.send(bytes(size))
            assert await socket.recv() == bytes(size)
        waiting = [await socket.ping() for _ in range(100)]
        await asyncio.wait_for(asyncio.gather(*waiting), 20)
        await asyncio.sleep(0.7)  # only the pings of the server, which would close if they went unanswered
        await socket.send("still there")
        assert await socket.recv() == "still there"
    assert socket.close_code == 1000
    async with websockets.connect(url, **options) as socket:
        await socket.send("close, please")
        try:
            await asyncio.wait_for(socket.recv(), 20)
            raise AssertionError("the server did not close")
        except websockets.ConnectionClosed as closed:
            assert closed.rcvd and (closed.rcvd.code, closed.rcvd.reason) == (4001, "as you wish"), closed


async def many(url: str, **options) -> None:
    """100 connections at once, 20 messages each."""
    async def one(number: int) -> None:
        async with websockets.connect(url, **options) as socket:
            for turn in range(20):
                await socket.send(f"{number}/{turn}")
                assert await socket.recv() == f"{number}/{turn}"
    await asyncio.gather(*(one(number) for number in range(100)))


@program.case("plain -> mutual TLS -> plain")
def through(scene):
    """frames of all sizes up to 10 MB, ping and pong, close by either side; 100 connections at once"""
    server = EchoServer(scene)
    path = Pair(scene, target=server.where, tap=False, workers=2)
    url = f"ws://{path.entry}/"
    asyncio.run(talk(url))
    asyncio.run(many(url))
    for number in range(102):
        assert path.b.wait_event("connection.closed", count=number + 1)["how"] == "closed"


@program.case("TLS from the client on (wss)")
def wss(scene):
    """the same from a client with TLS and ALPN http/1.1"""
    server, domain, where = EchoServer(scene), scene.domain(), scene.endpoint()
    node = scene.node("door", identities={"server": (domain.issue(SERVER, HOST), domain.bundle)}, channels=[
        channel("chat", listen={"listen": where, "protect": "tls", "identity": "server", "alpn": ["http/1.1"]},
                to={"targets": [server.where], "protect": "none"})])
    address, port = split_endpoint(where)[1]
    context = ssl.create_default_context(cafile=domain.bundle)
    context.set_alpn_protocols(["http/1.1"])
    options = {"ssl": context, "host": address, "port": port, "server_hostname": HOST}
    asyncio.run(talk(f"wss://{HOST}:{port}/", **options))
    asyncio.run(many(f"wss://{HOST}:{port}/", **options))
    assert node.wait_event("connection.open")["alpn"] == "http/1.1"


run()
