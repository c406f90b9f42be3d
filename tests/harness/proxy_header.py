"""PROXY protocol headers (HAProxy's doc/proxy-protocol.txt), read and written by other code than the gateway's."""
import dataclasses
import socket
import struct

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
ALPN, AUTHORITY, SSL, VERSION, CN, CIPHER = 0x01, 0x02, 0x20, 0x21, 0x22, 0x23
SPIFFE, DNS, IP = 0xE0, 0xE1, 0xE2  # of Cipherway


def v1(source="192.0.2.7", port=4711, destination="198.51.100.9") -> bytes:
    family = "TCP6" if ":" in source else "TCP4"
    return f"PROXY {family} {source} {destination} {port} 443\r\n".encode()


def v2(source="192.0.2.7", port=4711, destination="198.51.100.9", command=1, tlvs=()) -> bytes:
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    body = socket.inet_pton(family, source) + socket.inet_pton(family, destination) + struct.pack("!HH", port, 443)
    body += b"".join(struct.pack("!BH", kind, len(value)) + value for kind, value in tlvs)
    return SIGNATURE + bytes([0x20 | command, 0x21 if family == socket.AF_INET6 else 0x11]) + struct.pack("!H", len(body)) + body


@dataclasses.dataclass
class Header:
    version: int
    source: str = ""       # HOST:PORT, or "" when the sender does not say
    destination: str = ""
    tlvs: dict = dataclasses.field(default_factory=dict)  # type -> list of values
    client_bits: int = 0
    verify: int = 0

    def text(self, kind: int) -> str:
        return self.tlvs[kind][0].decode() if kind in self.tlvs else ""


def read(stream) -> Header:
    """Takes a header off a stream, and not a byte more."""
    start = stream.recv_exactly(12)
    if start != SIGNATURE:
        line = start
        while not line.endswith(b"\r\n"):
            assert len(line) < 107, line
            line += stream.recv_exactly(1)
        words = line.decode().split()
        assert words[0] == "PROXY", line
        if words[1] == "UNKNOWN":
            return Header(1)
        _, family, source, destination, source_port, port = words
        assert family in ("TCP4", "TCP6"), line
        return Header(1, f"{source}:{source_port}", f"{destination}:{port}")
    command, family, length = struct.unpack("!BBH", stream.recv_exactly(4))
    assert command == 0x21, command
    body = stream.recv_exactly(length)
    header = Header(2)
    if family:
        kind, size = {0x11: (socket.AF_INET, 4), 0x21: (socket.AF_INET6, 16)}[family]
        ports = struct.unpack("!HH", body[2 * size:2 * size + 4])
        header.source = f"{socket.inet_ntop(kind, body[:size])}:{ports[0]}"
        header.destination = f"{socket.inet_ntop(kind, body[size:2 * size])}:{ports[1]}"
        body = body[2 * size + 4:]
    header.tlvs = _tlvs(body)
    if SSL in header.tlvs:
        header.client_bits, header.verify = struct.unpack("!BI", header.tlvs[SSL][0][:5])
        header.tlvs.update(_tlvs(header.tlvs[SSL][0][5:]))
    return header


def _tlvs(body: bytes) -> dict:
    found: dict = {}
    while body:
        kind, length = struct.unpack("!BH", body[:3])
        assert len(body) >= 3 + length, "a TLV that is cut"
        found.setdefault(kind, []).append(body[3:3 + length])
        body = body[3 + length:]
    return found
