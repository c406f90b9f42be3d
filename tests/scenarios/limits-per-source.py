"""Limits of one source: how many connections it may have, and how many handshakes it may begin in a second; others are not touched."""
from harness import PlainStream, TlsStream, channel, client_context, echo, net, proxy_header, run, test
from harness.refusals import ANSWER, QUESTION, Door


def plain(scene, limits, **listen):
    server = scene.server(echo)
    where = scene.endpoint()
    node = scene.node("node", channels=[channel("c", listen={"listen": where, "protect": "none", **listen},
                                                to={"targets": [server.where], "protect": "none"}, limits=limits)])
    return node, where


def served(stream) -> bool:
    """Whether it gets its byte back; else it was closed."""
    try:
        stream.send(b"x")
        return stream.recv_exactly(1) == b"x"
    except Exception:
        return False


@test
def connections(scene):
    """two connections of one address are served, the third is not (source-limit), nor is another address kept out"""
    node, where = plain(scene, {"source_connections": 2})
    other = where.rpartition(":")[0].rpartition(".")[0] + ".251"
    own = [PlainStream.connect(where) for _ in range(3)]
    assert [served(stream) for stream in own] == [True, True, False]
    assert node.wait_event("connection.refused")["reason"] == "source-limit"
    another = PlainStream(net.connect(where, 10, other))
    assert served(another)
    own[0].close()
    node.wait_event("connection.closed")
    assert served(PlainStream.connect(where)), "its place was not given back"


@test
def behind_a_proxy(scene):
    """behind a proxy the client in the header counts, and not the proxy"""
    node, where = plain(scene, {"source_connections": 2}, proxy_from=["127.0.0.0/8"])

    def client(address):
        stream = PlainStream.connect(where)
        stream.send(proxy_header.v2(address, destination="2001:db8::9" if ":" in address else "198.51.100.9"))
        return stream
    first = [client("192.0.2.7") for _ in range(3)]
    assert [served(stream) for stream in first] == [True, True, False]
    event = node.wait_event("connection.refused")
    assert event["reason"] == "source-limit" and event["from"].startswith("192.0.2.7:"), event
    rest = [client(f"192.0.2.{number}") for number in range(20, 30)]
    assert all([served(stream) for stream in rest])
    networks = [client("2001:db8::1"), client("2001:db8::2"), client("2001:db8::3"), client("2001:db8:0:1::3")]
    assert [served(stream) for stream in networks] == [True, True, False, True], "an IPv6 /64 is one source"


@test
def handshakes(scene):
    """of twenty handshakes at once three begin (source-rate ends the others); another address has three of its own"""
    door = Door(scene, protect="tls", limits={"source_handshakes_per_second": 3})
    context = client_context(door.domain.bundle)
    net_of = door.where.rpartition(":")[0].rpartition(".")[0]

    def attempts(source):
        count = 0
        for _ in range(20):
            try:
                with TlsStream(net.connect(door.where, 10, source), context) as stream:
                    stream.handshake()
                    stream.send(QUESTION)
                    count += stream.recv_exactly(len(ANSWER)) == ANSWER
            except Exception:
                pass
        return count
    first, second = attempts(f"{net_of}.251"), attempts(f"{net_of}.252")
    print(f"     {first} and {second} of 20")
    # A busy machine may take so long for them that the bucket fills again meanwhile.
    assert 3 <= first < 20 and 3 <= second < 20, (first, second)
    assert door.node.events("connection.refused", reason="source-rate")


run()
