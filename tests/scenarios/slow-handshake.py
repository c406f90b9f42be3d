"""A handshake that trickles in byte by byte succeeds within its time, and a target that never answers is given up."""
from harness import Server, TlsStream, client_context, run, test
from harness.refusals import CLIENT, Door, Errand
from harness.tap import Tap


@test
def byte_by_byte(scene):
    """a ClientHello and a Finished that arrive in pieces of a few bytes are understood"""
    door = Door(scene)

    class Trickle(Tap):
        def _forward(self, number, to_server, source, sink):
            try:
                while data := source.recv(65536):
                    for at in range(0, len(data), 7):
                        sink.sendall(data[at:at + 7])
            except OSError:
                pass
    tap = scene.own(Trickle(scene.endpoint(), door.where))
    with TlsStream.connect(tap.where, client_context(door.domain.bundle, door.domain.issue(CLIENT))) as stream:
        stream.send(b"x")
        assert stream.recv()


@test
def mute_target(scene):
    """a target that accepts and says nothing: handshake-timeout on the side of the target"""
    mute: Server = scene.server(lambda stream, conversation: stream.sock.recv(65536) and stream.sock.recv(1))
    errand = Errand(scene, mute.where, timeouts={"handshake": "300ms"})
    errand.refuses(None, "handshake-timeout")


run()
