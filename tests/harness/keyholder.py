"""Talking to a keyholder without the node: its frames, its requests, and a socket taken from a running worker.

A frame is length (32 bits), type (8), id (32), payload, big-endian (src/event/frame_socket.h, src/keyholder/protocol.h).
"""
import array
import ctypes
import os
import socket
import struct
import subprocess

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from .node import binary
from .process import descriptors

LOAD_IDENTITY, SEAL, ADMIT, STATUS, SIGN, TICKET_KEY = 1, 2, 3, 4, 5, 6
DONE, REFUSED = 64, 65
CARRIES_DESCRIPTOR = 0x80  # in the type: a descriptor belongs to this frame
ECDSA_P256_SHA256, RSA_PSS_SHA256, ED25519 = 0x0403, 0x0804, 0x0807


def _vector(data) -> bytes:
    data = data.encode() if isinstance(data, str) else data
    return struct.pack("!H", len(data)) + data


def certificate_verify(side: str = "server", transcript_hash: bytes = bytes(range(32))) -> bytes:
    """What TLS 1.3 has signed (RFC 8446, section 4.4.3)."""
    return b" " * 64 + f"TLS 1.3, {side} CertificateVerify".encode() + b"\0" + transcript_hash


class Line:
    """A socket on which frames are exchanged one by one."""

    def __init__(self, sock: socket.socket):
        self.sock = sock
        self.sock.setblocking(True)
        self.sock.settimeout(10)
        self._id = 0x7F000000

    def ask(self, kind: int, payload: bytes = b"", descriptor: int | None = None):
        """(type, payload) of the reply; None if the keyholder hangs up."""
        self._id += 1
        ancillary = []
        if descriptor is not None:
            kind |= CARRIES_DESCRIPTOR
            ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [descriptor]))]
        frame = struct.pack("!IBI", len(payload), kind, self._id) + payload
        try:
            self.sock.sendmsg([frame], ancillary)
            while True:
                header = self._exactly(9)
                length, reply, number = struct.unpack("!IBI", header)
                body = self._exactly(length)
                if number == self._id:
                    return reply, body
        except (EOFError, ConnectionError):
            return None

    def sign(self, identity: str, statement: bytes, scheme: int = ECDSA_P256_SHA256):
        return self.ask(SIGN, _vector(identity) + struct.pack("!H", scheme) + _vector(statement))

    def ticket_key(self, service: str, epoch: int):
        return self.ask(TICKET_KEY, _vector(service) + struct.pack("!Q", epoch))

    def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            piece = self.sock.recv(count - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data


class Keyholder:
    """The keyholder's binary with the test as its supervisor."""

    def __init__(self, scene):
        mine, its = socket.socketpair()
        self.log_path = scene.path("keyholder.log")

        def as_descriptor_3():
            os.dup2(its.fileno(), 3)
            os.set_inheritable(3, True)
        with open(self.log_path, "wb") as log:
            self.child = subprocess.Popen([binary("cipherway-keyholder")], stdin=subprocess.DEVNULL,
                                          stdout=subprocess.DEVNULL, stderr=log, preexec_fn=as_descriptor_3,
                                          close_fds=False)
        its.close()
        self.line = Line(mine)

    def load(self, name: str, credential):
        public = credential.private_key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return self.line.ask(LOAD_IDENTITY, _vector(name) + _vector(credential.key) + _vector(public))

    def seal(self):
        if os.geteuid() == 0:
            return self.line.ask(SEAL, struct.pack("!BII", 1, 65534, 65534))
        return self.line.ask(SEAL, b"\0")

    def admit(self, identities, services=(), tls12=False):
        """(reply, a Line for the new peer)."""
        mine, its = socket.socketpair()
        payload = struct.pack("!IIBB", os.getpid(), os.geteuid(), 1, tls12)
        for names in (identities, services):
            payload += struct.pack("!H", len(names)) + b"".join(_vector(n) for n in names)
        reply = self.line.ask(ADMIT, payload, its.fileno())
        its.close()
        return reply, Line(mine)

    def stop(self) -> None:
        self.line.sock.close()
        try:
            self.child.wait(5)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()

    def story(self) -> str:
        with open(self.log_path, errors="replace") as log:
            return f"--- keyholder -> {self.child.returncode}\n{log.read()}"


def socket_of(pid: int, number: int) -> socket.socket:
    """A duplicate of another process's descriptor, as one who has captured that process would have it."""
    libc = ctypes.CDLL(None, use_errno=True)
    pidfd = os.pidfd_open(pid)
    try:
        taken = libc.syscall(438, pidfd, number, 0)  # pidfd_getfd
        if taken < 0:
            raise OSError(ctypes.get_errno(), "pidfd_getfd")
    finally:
        os.close(pidfd)
    return socket.socket(fileno=taken)


def keyholder_sockets(worker: int, keyholder: int) -> list[int]:
    """Descriptors of the worker that are UNIX sockets whose other end the keyholder has."""
    diagnosed = subprocess.run(["ss", "-xpnH"], capture_output=True, check=True).stdout.decode()
    own, others = {}, {}
    for line in diagnosed.splitlines():
        words = line.split()
        inode, peer = words[5], words[7]
        for found in words[8:]:
            if f"pid={keyholder}," in found:
                others[inode] = peer
            if f"pid={worker}," in found:
                own[inode] = peer
    wanted = {inode for inode, peer in own.items() if peer in others}
    return [number for number, what in descriptors(worker).items()
            if what.startswith("socket:[") and what[8:-1] in wanted]
