"""Process C changes one bit of a record on the wire: the change is noticed, reported, and what it changed is not delivered.

Control: the same tap without the change passes the same bytes.
"""
from harness import PlainStream, Refused, TlsStream, Truncated, client_context, run, test, wait_until
from harness.refusals import ANSWER, CLIENT, QUESTION, SERVER, Door, Errand, tls_server
from harness.tap import Tap


class BitFlipper:
    """Changes one bit of the first application-data record after `arm()`, in one direction."""

    def __init__(self, to_server: bool):
        self.to_server = to_server
        self.armed = False
        self.flipped = 0

    def __call__(self, to_server, data, sent):
        if self.armed and to_server == self.to_server and data[0] == 23:
            self.armed = False
            self.flipped += 1
            at = len(data) - 20
            return data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1:]
        return data


@test
def from_client(scene):
    """a bit of a client's record: bad-record, and the server sees none of that record"""
    door = Door(scene)
    flipper = BitFlipper(to_server=True)
    tap = scene.own(Tap(scene.endpoint(), door.where, flipper))
    context = client_context(door.domain.bundle, door.domain.issue(CLIENT))
    for flip in (False, True):
        before = door.server.application_bytes
        stream = TlsStream.connect(tap.where, context)
        stream.send(QUESTION)
        assert stream.recv_exactly(len(ANSWER)) == ANSWER
        flipper.armed = flip
        stream.send(QUESTION)
        if not flip:  # the control
            assert stream.recv_exactly(len(ANSWER)) == ANSWER
            assert door.server.application_bytes == before + 2 * len(QUESTION)
            stream.close()
            continue
        try:
            assert not stream.recv()
        except (Refused, Truncated, OSError):
            pass
        wait_until(lambda: reported(door.node, "client"), "the flipped bit to be reported")
        assert flipper.flipped == 1
        assert door.server.application_bytes == before + len(QUESTION), "a changed record was delivered"


@test
def from_target(scene):
    """a bit of a server's record: bad-record, and the client sees none of that record"""
    domain = scene.domain()
    server = tls_server(scene, domain.issue(SERVER))
    flipper = BitFlipper(to_server=False)
    tap = scene.own(Tap(scene.endpoint(), server.where, flipper))
    errand = Errand(scene, tap.where, domain=domain)
    errand.passes(server)  # the control
    with PlainStream.connect(errand.where) as stream:
        stream.send(QUESTION)
        assert stream.recv_exactly(len(ANSWER)) == ANSWER
        flipper.armed = True
        stream.send(QUESTION)
        try:
            got = stream.recv()
        except OSError:
            got = b""
    assert flipper.flipped == 1
    assert not got, f"a changed record was delivered: {got!r}"
    wait_until(lambda: reported(errand.node, "target"), "the flipped bit to be reported")


def reported(node, side):
    return node.events("connection.closed", how=f"bad-record from {side}")


run()
