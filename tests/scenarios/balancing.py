"""Each way to balance does what its name says, measured over real servers and two workers."""
from harness import run, test, wait_until
from harness.backends import Backends, targets


@test
def round_robin(scene):
    """round-robin, the default: everybody gets the same number, whatever the workers do by themselves"""
    backends = Backends(scene, 3)
    backends.node(workers=2)
    spread = backends.spread(120)
    # Each worker is exact to one connection; there are two.
    assert all(abs(spread[name] - 40) <= 2 for name in backends.names), spread


@test
def at_random(scene):
    """random: everybody gets about the same number, and not in turn"""
    backends = Backends(scene, 3)
    backends.node(to={"balance": "random"})
    served = [backends.ask() for _ in range(300)]
    # Six standard deviations: 49. Honest chance fails this once in a hundred million runs.
    assert all(51 <= served.count(name) <= 149 for name in backends.names), served
    again = sum(one == next_one for one, next_one in zip(served, served[1:]))
    assert again >= 30, "nobody was served by the same server twice in a row as often as chance has it"


def hold(backends, count):
    """Opens so many connections, waits until each has a server, and keeps them."""
    streams = []
    for _ in range(count):
        stream = backends.open()
        streams.append((stream, backends.answer(stream)))
    return streams


@test
def least_connections(scene):
    """least-connections: who has fewer open gets the next; two workers count together"""
    backends = Backends(scene, 3)
    node = backends.node(to={"balance": "least-connections"}, workers=2)
    held = hold(backends, 30)
    counts = [sum(name == served for _, served in held) for name in backends.names]
    assert counts == [10, 10, 10], counts
    for stream, served in held:
        if served == "b":
            stream.close()
    wait_until(lambda: targets(node)[backends.wheres[1]]["open"] == 0, "the connections to b to be over")
    more = hold(backends, 10)
    assert [served for _, served in more] == ["b"] * 10, more


@test
def two_choices(scene):
    """two-choices: nobody is much fuller than the others, and nobody is always chosen"""
    backends = Backends(scene, 4)
    backends.node(to={"balance": "two-choices"}, workers=2)
    held = hold(backends, 80)
    counts = [sum(name == served for _, served in held) for name in backends.names]
    assert sum(counts) == 80 and all(15 <= count <= 25 for count in counts), counts


@test
def in_order(scene):
    """in-order: the first, as long as it works"""
    backends = Backends(scene, 3)
    backends.node(to={"balance": "in-order"}, workers=2)
    assert backends.spread(20) == {"a": 20}
    backends.stop(0)
    assert backends.spread(20) == {"b": 20}


run()
