"""Plaintext at a TLS port is refused, and so is a plaintext server behind a TLS side: nothing falls back to clear.

Control: the same question passes over TLS.
"""
from harness import PlainStream, answer_with, client_context, run, test
from harness.refusals import CLIENT, QUESTION, SERVER, Door, Errand, tls_server

GREETINGS = {
    "HTTP": b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n",
    "SSH": b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n",
    "SMTP": b"EHLO example.org\r\n",
    "one line": b"hello\n",
    "zeros": bytes(64),
}


@test
def to_tls_port(scene):
    """plaintext to a `from` with tls or mutual-tls is refused as not-tls"""
    domain = scene.domain()
    for protect in ("tls", "mutual-tls"):
        door = Door(scene, domain=domain, protect=protect)
        for greeting in GREETINGS.values():
            def attempt(sent=greeting):
                with PlainStream.connect(door.where) as stream:
                    stream.send(sent)
                    data = stream.recv_all()
                # An alert in clear is a TLS record (content type 21), not data.
                return b"" if data[:1] == b"\x15" and len(data) == 7 else data
            door.refuses_what(attempt, "not-tls")
        door.passes(client_context(domain.bundle, domain.issue(CLIENT)))


@test
def plaintext_target(scene):
    """a plaintext server behind a `to` with tls or mutual-tls is refused, and is not told a byte of the question"""
    domain = scene.domain()
    for protect in ("tls", "mutual-tls"):
        plain = scene.server(answer_with(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"))
        errand = Errand(scene, plain.where, protect=protect, domain=domain)
        errand.refuses(None, "not-tls")
        assert QUESTION not in bytes(plain.conversations[0].received)
        good = tls_server(scene, domain.issue(SERVER))
        Errand(scene, good.where, protect=protect, domain=domain).passes(good)


@test
def talkative_target(scene):
    """a server that greets first in clear (as SSH and SMTP do) is refused as not-tls"""
    domain = scene.domain()

    def greet(stream, conversation):
        stream.send(b"220 mail.example.org ESMTP\r\n")
        while data := stream.recv():
            conversation.take(data)
    plain = scene.server(greet)
    Errand(scene, plain.where, domain=domain).refuses(None, "not-tls")
    good = tls_server(scene, domain.issue(SERVER))
    Errand(scene, good.where, domain=domain).passes(good)


run()
