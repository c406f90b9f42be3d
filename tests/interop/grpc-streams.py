"""gRPC (python3-grpcio: the C core) through channels: long streams in both directions, half-closed, with trailers."""
import os
import queue
import threading
from concurrent import futures

import grpc

from harness import channel, run
from harness.pair import Pair
from harness.programs import Program
from harness.refusals import CLIENT, SERVER

program = Program("gRPC")
HOST = "server.example.org"
TICKS = 3000  # one each ten milliseconds would be half a minute of stream


def chat(requests, context):
    """Bidirectional: answers each message, and when the client has closed its direction, sums up and sends trailers."""
    count = size = 0
    for message in requests:
        count, size = count + 1, size + len(message)
        yield b"heard " + message[:100]
    yield b"%d messages, %d bytes" % (count, size)
    context.set_trailing_metadata((("count", str(count)),))


def ticks(request, context):
    """From the server alone, until the client cancels."""
    number = 0
    while context.is_active():
        yield b"%d" % number + bytes(len(request))
        number += 1


def fail(request, context):
    context.abort(grpc.StatusCode.FAILED_PRECONDITION, "as asked")


class Server:
    def __init__(self, scene):
        self.cancelled = threading.Event()

        def watched(request, context):
            context.add_callback(self.cancelled.set)
            return ticks(request, context)
        self._server = grpc.server(futures.ThreadPoolExecutor(16))
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Test", {
            "Chat": grpc.stream_stream_rpc_method_handler(chat),
            "Ticks": grpc.unary_stream_rpc_method_handler(watched),
            "Fail": grpc.unary_unary_rpc_method_handler(fail),
            "Upper": grpc.unary_unary_rpc_method_handler(lambda request, _: request.upper())}),))
        self.where = scene.endpoint()
        assert self._server.add_insecure_port(self.where), self.where
        self._server.start()
        scene.own(self)

    def stop(self) -> None:
        self._server.stop(None)


def converse(connection: grpc.Channel) -> None:
    """A dialogue of TICKS turns, each waiting for its answer; then half-close, the summary and the trailers."""
    outbox: queue.Queue = queue.Queue()
    call = connection.stream_stream("/test.Test/Chat")(iter(outbox.get, None), timeout=60)
    size = 0
    for number in range(TICKS):
        message = b"%06d " % number + bytes(number % 2000)
        size += len(message)
        outbox.put(message)
        assert next(call) == b"heard " + message[:100]
    outbox.put(None)
    assert next(call) == b"%d messages, %d bytes" % (TICKS, size)
    assert not list(call)
    assert call.code() == grpc.StatusCode.OK
    assert ("count", str(TICKS)) in [tuple(pair) for pair in call.trailing_metadata()]


def overlapping(connection: grpc.Channel) -> None:
    """Eight streams over one connection, 2 MB each, sent and answered at the same time."""
    def one(_):
        pieces = [os.urandom(20_000) for _ in range(100)]
        got = list(connection.stream_stream("/test.Test/Chat")(iter(pieces), timeout=60))
        assert got[:-1] == [b"heard " + piece[:100] for piece in pieces]
        assert got[-1] == b"100 messages, 2000000 bytes"
    with futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(one, range(8)))


def cancelled(connection: grpc.Channel, server: Server) -> None:
    """A flood from the server, with back-pressure, that the client ends."""
    call = connection.unary_stream("/test.Test/Ticks")(b"x" * 10_000, timeout=60)
    for number in range(500):
        assert next(call).startswith(b"%d\0" % number)
    call.cancel()
    assert server.cancelled.wait(20), "the server never heard of the end"


def errors(connection: grpc.Channel) -> None:
    """A status other than OK, which HTTP/2 carries in trailers alone."""
    try:
        connection.unary_unary("/test.Test/Fail")(b"", timeout=20)
        raise AssertionError("no error arrived")
    except grpc.RpcError as error:
        assert (error.code(), error.details()) == (grpc.StatusCode.FAILED_PRECONDITION, "as asked"), error


def everything(connection: grpc.Channel, server: Server) -> None:
    with connection:
        assert connection.unary_unary("/test.Test/Upper")(b"abc", timeout=20) == b"ABC"
        converse(connection)
        overlapping(connection)
        cancelled(connection, server)
        errors(connection)


@program.case("plain (h2c) -> mutual TLS -> plain (h2c)")
def through(scene):
    """a dialogue of 3,000 turns on one stream, half-close, trailers; 8 streams at once; a cancelled flood; a status"""
    server = Server(scene)
    path = Pair(scene, target=server.where, tap=False)
    everything(grpc.insecure_channel(path.entry), server)
    assert path.b.wait_event("connection.closed")["bytes_in"] > 16_000_000
    assert len(path.b.events("connection.open")) == 1, "the streams did not share a connection"


@program.case("mutual TLS and ALPN h2 from the client on")
def tls_client(scene):
    """the same from a gRPC client with a certificate of its own"""
    server, domain, where = Server(scene), scene.domain(), scene.endpoint()
    node = scene.node("door", identities={"server": (domain.issue(SERVER, HOST), domain.bundle)}, channels=[
        channel("rpc", listen={"listen": where, "protect": "mutual-tls", "identity": "server", "allow": [CLIENT],
                               "alpn": ["h2"]},
                to={"targets": [server.where], "protect": "none"})])
    mine = domain.issue(CLIENT)
    files = []
    for path in (domain.bundle, mine.key, mine.certificate):
        with open(path, "rb") as file:
            files.append(file.read())
    everything(grpc.secure_channel(where, grpc.ssl_channel_credentials(*files),
                                   (("grpc.ssl_target_name_override", HOST),)), server)
    event = node.wait_event("connection.open")
    assert (event["alpn"], event["client"]) == ("h2", CLIENT), event


run()
