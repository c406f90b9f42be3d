"""A protocol in which the server speaks first: SMTP, curl and Python's smtplib in front of a channel."""
import hashlib
import os
import smtplib

from harness import channel, run
from harness.net import split_endpoint
from harness.pair import Pair
from harness.programs import Program
from harness.refusals import SERVER

program = Program("SMTP")
HOST = "mail.example.org"
GREETING = b"220 mail.example.org ready\r\n"


class MailServer:
    """The behaviour of a server as RFC 5321 describes it; keeps the messages."""

    def __init__(self):
        self.messages: list[bytes] = []

    def __call__(self, stream, conversation):
        stream.send(GREETING)
        buffer = bytearray()

        def line_until(end: bytes) -> bytes:
            at = 0
            while (found := buffer.find(end, max(0, at - len(end)))) < 0:
                at = len(buffer)
                data = stream.recv()
                if not data:
                    raise EOFError
                buffer.extend(data)
            taken = bytes(buffer[:found])
            del buffer[:found + len(end)]
            return taken
        try:
            while True:
                verb = line_until(b"\r\n").split()[0].upper()
                if verb == b"EHLO":
                    stream.send(b"250-mail.example.org\r\n250-8BITMIME\r\n250 PIPELINING\r\n")
                elif verb == b"DATA":
                    stream.send(b"354 go on\r\n")
                    self.messages.append(line_until(b"\r\n.\r\n").replace(b"\r\n..", b"\r\n."))
                    stream.send(b"250 taken\r\n")
                elif verb == b"QUIT":
                    stream.send(b"221 bye\r\n")
                    return
                else:
                    stream.send(b"250 ok\r\n")
        except EOFError:
            pass


def message(size: int) -> bytes:
    return b"Subject: hello\r\n\r\n" + b"\r\n".join(os.urandom(32).hex().encode() for _ in range(size // 66)) + b"\r\n"


def same(got: bytes, sent: bytes) -> bool:
    return hashlib.sha256(got.rstrip()).digest() == hashlib.sha256(sent.rstrip()).digest()


@program.case("plain -> mutual TLS -> plain")
def smtplib_through(scene):
    """the greeting arrives although the client says nothing, 20 mails on one connection, one of 5 MB"""
    mail = MailServer()
    path = Pair(scene, behaviour=mail, tap=False)
    with path.connect() as silent:
        assert silent.recv_exactly(len(GREETING)) == GREETING
    sent = [message(1000) for _ in range(20)] + [message(5_000_000)]
    with smtplib.SMTP(*split_endpoint(path.entry)[1], timeout=30) as client:
        for one in sent:
            assert not client.sendmail("a@example.org", ["b@example.org"], one)
    assert len(mail.messages) == len(sent) and all(map(same, mail.messages, sent))


@program.case("TLS from the client on (smtps)")
def curl_smtps(scene):
    """curl smtps:// delivers a mail of 1 MB"""
    mail, domain, where = MailServer(), scene.domain(), scene.endpoint()
    scene.node("door", identities={"server": (domain.issue(SERVER, HOST), domain.bundle)}, channels=[
        channel("mail", listen={"listen": where, "protect": "tls", "identity": "server"},
                to={"targets": [scene.server(mail).where], "protect": "none"})])
    address, port = split_endpoint(where)[1]
    sent = message(1_000_000)
    client = scene.process(["curl", "--silent", "--show-error", "--cacert", domain.bundle, "--resolve",
                            f"{HOST}:{port}:{address}", f"smtps://{HOST}:{port}", "--mail-from", "a@example.org",
                            "--mail-rcpt", "b@example.org", "--upload-file", scene.write("mail", sent)])
    assert client.wait(30) == 0, client.text
    assert len(mail.messages) == 1 and same(mail.messages[0], sent)


run()
