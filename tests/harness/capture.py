"""Recorded bytes as a capture file, and tshark on it: what an analyst with the same recording would see.

The tap has the bytes; the TCP/IP around them is made here, so no right to capture on an interface is needed.
"""
import re
import struct
import subprocess

from .process import program

CLIENT, SERVER = bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2])


def _checksum(data: bytes) -> int:
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _packet(source, target, sport, dport, seq, ack, flags, data=b"") -> bytes:
    tcp = struct.pack("!HHIIBBHHH", sport, dport, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, 5 << 4, flags, 65535, 0, 0) + data
    pseudo = source + target + struct.pack("!BBH", 0, 6, len(tcp))
    tcp = tcp[:16] + struct.pack("!H", _checksum(pseudo + tcp)) + tcp[18:]
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 0, 0x4000, 64, 6, 0) + source + target
    return ip[:10] + struct.pack("!H", _checksum(ip)) + ip[12:] + tcp


def write_pcap(path: str, segments, server_port: int = 443) -> str:
    """What a tap recorded as a capture (raw IPv4, LINKTYPE 101), a TCP connection for each of the tap's."""
    out = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 101)]

    def add(when, packet):
        out.append(struct.pack("<IIII", int(when), int(when % 1 * 1e6), len(packet), len(packet)) + packet)

    flows = {}
    for segment in segments:
        client_port = 40000 + segment.connection
        if segment.connection not in flows:
            flows[segment.connection] = {True: 1001, False: 5001}
            add(segment.time, _packet(CLIENT, SERVER, client_port, server_port, 1000, 0, 0x02))
            add(segment.time, _packet(SERVER, CLIENT, server_port, client_port, 5000, 1001, 0x12))
            add(segment.time, _packet(CLIENT, SERVER, client_port, server_port, 1001, 5001, 0x10))
        seq = flows[segment.connection]
        for at in range(0, len(segment.data), 1400):
            piece = segment.data[at:at + 1400]
            if segment.to_server:
                packet = _packet(CLIENT, SERVER, client_port, server_port, seq[True], seq[False], 0x18, piece)
            else:
                packet = _packet(SERVER, CLIENT, server_port, client_port, seq[False], seq[True], 0x18, piece)
            add(segment.time, packet)
            seq[segment.to_server] += len(piece)
    with open(path, "wb") as file:
        file.write(b"".join(out))
    return path


def decrypt(pcap: str, keys, server_port: int = 443, connections: int = 1, keylog: str | None = None) -> bytes:
    """All application data in `pcap` that tshark can read with those private-key files."""
    command = [program("tshark"), "-r", pcap, "-n", "-q", "-d", f"tcp.port=={server_port},tls"]
    for key in keys:
        command += ["-o", f'uat:rsa_keys:"{key}",""']
    if keylog:
        command += ["-o", f"tls.keylog_file:{keylog}"]
    for number in range(connections):
        command += ["-z", f"follow,tls,raw,{number}"]
    done = subprocess.run(command, capture_output=True, timeout=60)
    if done.returncode != 0:
        raise AssertionError(f"tshark exits {done.returncode}: {done.stderr.decode(errors='replace')}")
    lines = (line.strip() for line in done.stdout.decode(errors="replace").splitlines())
    return b"".join(bytes.fromhex(line) for line in lines if line and re.fullmatch(r"([0-9a-f]{2})+", line))


def handshake_facts(pcap: str, server_port: int = 443) -> list[dict]:
    """What anybody can read of each hello: versions, groups, suites."""
    fields = ["tls.handshake.type", "tls.handshake.ciphersuite", "tls.handshake.extensions.supported_version",
              "tls.handshake.extensions_key_share_group"]
    command = [program("tshark"), "-r", pcap, "-n", "-d", f"tcp.port=={server_port},tls", "-Y", "tls.handshake",
               "-T", "fields"]
    for field in fields:
        command += ["-e", field]
    done = subprocess.run(command, capture_output=True, timeout=60, check=True)
    return [dict(zip(fields, line.split("\t"))) for line in done.stdout.decode().splitlines()]
