"""A name server of a test's own: answers A and AAAA over UDP from a table that the test changes as it goes."""
import ipaddress
import socket
import struct
import threading

from . import net

A, AAAA = 1, 28


class NameServer:
    """`names`: {"app.internal": (["127.0.0.1", "::1"], seconds to live)}. Names that are not there do not exist.

    `silent`: takes questions and answers none, as a dead server behind a firewall does.
    """

    def __init__(self, where: str | None = None):
        self.names: dict[str, tuple[list[str], int]] = {}
        self.questions: list[tuple[str, int]] = []
        self.silent = False
        self.where = where or net.endpoint()
        host, _, port = self.where.rpartition(":")
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((host, int(port)))
        threading.Thread(target=self._serve, daemon=True).start()

    def stop(self) -> None:
        self._socket.close()

    def asked(self, name: str) -> int:
        return sum(1 for asked, _ in list(self.questions) if asked == name)

    def _serve(self) -> None:
        while True:
            try:
                question, peer = self._socket.recvfrom(2048)
            except OSError:
                return
            answer = self._answer(question)
            if answer and not self.silent:
                try:
                    self._socket.sendto(answer, peer)
                except OSError:
                    return

    def _answer(self, question: bytes) -> bytes | None:
        # RFC 1035, section 4.1: header, one question, and an answer for each address, its name a pointer to the question.
        if len(question) < 12:
            return None
        identity, flags = struct.unpack("!HH", question[:4])
        labels, at = [], 12
        while at < len(question) and question[at]:
            labels.append(question[at + 1:at + 1 + question[at]].decode("ascii", "replace"))
            at += 1 + question[at]
        end = at + 5
        if end > len(question):
            return None
        name, kind = ".".join(labels).lower(), struct.unpack("!H", question[at + 1:at + 3])[0]
        self.questions.append((name, kind))
        known = self.names.get(name)
        records = []
        for address in known[0] if known else []:
            ip = ipaddress.ip_address(address)
            if (kind == A and ip.version == 4) or (kind == AAAA and ip.version == 6):
                records.append(b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, known[1], len(ip.packed)) + ip.packed)
        code = 0 if known else 3  # NXDOMAIN
        header = struct.pack("!HHHHHH", identity, 0x8180 | (flags & 0x0100) | code, 1, len(records), 0, 0)
        return header + question[12:end] + b"".join(records)
