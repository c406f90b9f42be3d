"""A target's weight is its share of the connections, in every way to balance that shares."""
from harness import run, test
from harness.backends import Backends


def weighted(backends, weights):
    return [{"address": where, "weight": weight} for where, weight in zip(backends.wheres, weights)]


@test
def round_robin(scene):
    """round-robin: 5 to 2 to 1, exactly, and the heavy one not in one go"""
    backends = Backends(scene, 3)
    backends.node(to={"targets": weighted(backends, [5, 2, 1])})
    served = "".join(backends.ask() for _ in range(80))
    assert (served.count("a"), served.count("b"), served.count("c")) == (50, 20, 10), served
    assert "aaaaa" not in served, served


@test
def at_random(scene):
    """random: 9 to 1"""
    backends = Backends(scene, 2)
    backends.node(to={"targets": weighted(backends, [900, 100]), "balance": "random"})
    spread = backends.spread(400)
    assert 10 <= spread["b"] <= 76, spread  # 40, give or take six standard deviations


@test
def least_connections(scene):
    """least-connections: three times the weight, three times the connections"""
    backends = Backends(scene, 2)
    backends.node(to={"targets": weighted(backends, [3, 1]), "balance": "least-connections"}, workers=2)
    held = []
    for _ in range(40):
        stream = backends.open()
        held.append((stream, backends.answer(stream)))
    counts = [sum(served == name for _, served in held) for name in "ab"]
    assert counts == [30, 10], counts


run()
