"""A ticket is a twentieth of a full handshake: an address that throws them all away is given one now and then only, and one
that resumes is given one every time."""
import socket
import struct
import time

from harness import TlsStream, client_context, run, test
from harness.refusals import CLIENT, Door

PATIENCE, EVERY = 16, 8  # TicketDemand
KERNEL_WAITS = 0.035  # seconds; its shortest delay of an acknowledgement is 0.04


class Visitor:
    """A client at one address of this machine."""

    def __init__(self, door, address):
        self.door, self.address = door, address
        self.context = client_context(door.domain.bundle, door.domain.issue(CLIENT))

    def visit(self, session=None):
        """Whether it was resumed, and the session to come back with: None without a ticket."""
        host, port = self.door.where.split(":")
        sock = socket.create_connection((host, int(port)), 10, source_address=(self.address, 0))
        with TlsStream(sock, self.context, session=session) as stream:
            stream.send(b"x")
            stream.recv()
            return stream.resumed, stream.session if stream.session.has_ticket else None

    def tickets(self, visits) -> int:
        return sum(self.visit()[1] is not None for _ in range(visits))


@test
def demand(scene):
    """after 16 full handshakes in a row every eighth has a ticket; a resumption ends that, and another address is not concerned"""
    door = Door(scene)
    door.node.wait_for_tickets()
    forgetful, other = Visitor(door, "127.0.0.1"), Visitor(door, "127.0.0.2")
    assert forgetful.tickets(PATIENCE) == PATIENCE
    assert forgetful.tickets(3 * EVERY) == 3
    assert other.tickets(PATIENCE) == PATIENCE, "what one address does tells something about another"

    # Somebody at that address remembers: the ticket comes with the eighth visit at the latest.
    session = next(found for found in (forgetful.visit()[1] for _ in range(EVERY)) if found)
    for _ in range(3):
        resumed, session = forgetful.visit(session)
        assert resumed and session, "a resumption ended without the ticket for the next one"
    assert forgetful.tickets(PATIENCE) == PATIENCE


def unacknowledged(sock) -> int:
    """Segments of ours that the other side's kernel has not acknowledged (tcpi_unacked)."""
    return struct.unpack_from("I", sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104), 24)[0]


@test
def nobody_waits(scene):
    """without a ticket there is nothing to send: the client's Finished is acknowledged all the same, and not when the kernel's time is up"""
    door = Door(scene)
    door.node.wait_for_tickets()
    visitor = Visitor(door, "127.0.0.1")
    visitor.tickets(PATIENCE)
    waits = []
    for _ in range(EVERY - 1):
        host, port = door.where.split(":")
        with TlsStream(socket.create_connection((host, int(port)), 10), visitor.context) as stream:
            stream.handshake()
            began = time.monotonic()
            while unacknowledged(stream.sock):
                time.sleep(0.0005)
            waits.append(time.monotonic() - began)
            stream.send(b"x")
            assert stream.recv()
            assert not stream.session.has_ticket, "the control: without a ticket"
    assert min(waits) < KERNEL_WAITS, waits


run()
