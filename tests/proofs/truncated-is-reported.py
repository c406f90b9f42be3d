"""A stream that ends without close_notify may have been cut by process C: it is reported, and passed on as broken.

Control: the same stream closed properly is reported as closed, and passed on as complete.
"""
from harness import PlainStream, TlsStream, channel, client_context, run, server_context, sink, test
from harness.pair import Pair
from harness.refusals import CLIENT, SERVER, Door
from harness.tap import Tap


@test
def by_client(scene):
    """a client that ends without close_notify: "truncated by client", and the server behind is not told "complete\""""
    domain = scene.domain()
    server = scene.server(sink)
    where = scene.endpoint()
    node = scene.node(
        "door", identities={"server": (domain.issue(SERVER), domain.bundle)},
        channels=[channel("door", listen={"listen": where, "protect": "mutual-tls", "identity": "server",
                                          "allow": [CLIENT]}, to={"targets": [server.where], "protect": "none"})])
    context = client_context(domain.bundle, domain.issue(CLIENT))

    stream = TlsStream.connect(where, context)
    stream.send(b"all of it")
    stream.close_write()
    assert stream.recv() == b""
    stream.close()
    assert node.wait_event("connection.closed")["how"] == "closed"
    assert server.conversation(0).ended == "closed"

    stream = TlsStream.connect(where, context)
    stream.send(b"only a part")
    stream.abort_write()
    event = node.wait_event("connection.closed", count=2)
    assert event["how"] == "truncated by client", event
    assert server.conversation(1).ended == "reset", "the server took a truncated stream for a complete one"
    stream.close()


@test
def after_the_answer(scene):
    """a server that has said all it has to say is not told "complete" by a truncated client either"""
    def behaviour(stream, conversation):
        stream.send(b"hello and goodbye")
        stream.close_write()
        while data := stream.recv():
            conversation.take(data)
    pair = Pair(scene, behaviour=behaviour)
    context = client_context(pair.domain.bundle, pair.client)
    for number, ended in enumerate(("closed", "reset")):
        stream = TlsStream.connect(pair.inner, context)
        assert stream.recv_all() == b"hello and goodbye"
        stream.send(b"my answer")
        stream.close_write() if ended == "closed" else stream.abort_write()
        assert pair.server.conversation(number).ended == ended
        stream.abort()


@test
def by_process_c(scene):
    """process C cuts the connection with a FIN: the same"""
    door = Door(scene)
    tap = scene.own(Tap(scene.endpoint(), door.where))
    context = client_context(door.domain.bundle, door.domain.issue(CLIENT))
    stream = TlsStream.connect(tap.where, context)
    stream.send(b"x")
    stream.recv()
    tap.cut()
    assert door.node.wait_event("connection.closed")["how"] == "truncated by client"
    stream.close()


@test
def by_target(scene):
    """a server behind `to` that ends without close_notify: "truncated by target", and the client sees a reset"""
    domain = scene.domain()

    def behaviour(stream, conversation):
        order = stream.recv()
        stream.send(b"answer")
        if order == b"cut":
            stream.abort_write()
            stream.sock.recv(1)
        else:
            stream.close_write()
    server = scene.server(behaviour, server_context(domain.issue(SERVER), domain.bundle))
    where = scene.endpoint()
    node = scene.node(
        "errand", identities={"client": (domain.issue(CLIENT), domain.bundle)},
        channels=[channel("errand", listen={"listen": where, "protect": "none"},
                          to={"targets": [server.where], "protect": "mutual-tls", "identity": "client",
                              "expect": [SERVER]})])
    for order, how in ((b"end", "closed"), (b"cut", "truncated by target")):
        with PlainStream.connect(where) as stream:
            stream.send(order)
            assert stream.recv_exactly(6) == b"answer"
            try:
                ended = "complete" if stream.recv() == b"" else "data"
            except ConnectionResetError:
                ended = "reset"
        assert ended == ("complete" if how == "closed" else "reset"), f"{how}: the client saw {ended}"
        node.wait_event("connection.closed", how=how)


run()
