"""A flood from a network of addresses, each connection from another one: whoever has an IPv6 /48 gets the share of a few.

Needs a network namespace of its own, in which all addresses are local; the test makes one (as root, or with user namespaces).
"""
import os
import sys

from harness import client_context, run, test, wait_until
from harness.crowd import Flood, Good, client_hello, raise_descriptor_limit
from harness.process import program
from harness.refusals import ANSWER, QUESTION, Door

ATTEMPTS = 100
WHERE = "[2001:db8:ffff::1]:4433"
GOOD = "2001:db8:aaaa::7"

if os.environ.get("CIPHERWAY_OWN_NETWORK") != "yes":
    command = [program("unshare"), "--net"] + (["--user", "--map-root-user"] if os.geteuid() else [])
    script = ("ip link set lo up && ip -6 route add local 2001:db8::/32 dev lo && "
              "echo 1 > /proc/sys/net/ipv6/ip_nonlocal_bind && exec \"$@\"")
    os.execve(command[0], command + ["sh", "-c", script, "sh", sys.executable] + sys.argv,
              {**os.environ, "CIPHERWAY_OWN_NETWORK": "yes"})


def siege(scene, kind, hold, network, **options) -> None:
    raise_descriptor_limit(8000)
    door = Door(scene, protect="tls", listen={"listen": WHERE}, **options)
    door.where = WHERE
    context = client_context(door.domain.bundle)
    hello = scene.write("hello", client_hello(context))
    good = Good(WHERE, context, QUESTION, ANSWER, source=GOOD)
    calm = good.attempts(ATTEMPTS)
    assert calm.rate == 100, calm.failures
    flood = Flood(scene, WHERE, kind, hold, "--hello", hello, "--network", network)
    wait_until(lambda: door.node.status()["channels"][0]["refused"] > 100, "the flood to exceed the limit")
    figures = good.attempts(ATTEMPTS)
    done = flood.stop()
    print(f"     good client, calm:    {calm}")
    print(f"     good client, flooded: {figures}")
    print(f"     flood, {kind} from {network}: {done['connections']} connections, {done['per_second']} a second, "
          f"{done['most_open']} at once, {done['ended_by_peer']} ended by us")
    assert done["connections"] > 1500 and done["ended_by_peer"] > 100, "that was no flood"
    assert figures.rate >= 99, figures.failures[:5]


@test
def silent(scene):
    """3,000 silent connections at a time from a /48, no two of the same address"""
    siege(scene, "silent", 3000, "2001:db8:bad::/48")


@test
def half_open(scene):
    """3,000 handshakes that stop after the ClientHello"""
    siege(scene, "half", 3000, "2001:db8:bad::/48")


@test
def many_sites(scene):
    """noise from a /40, that is from 256 sites of 65,536 networks each"""
    siege(scene, "garbage", 1500, "2001:db8:b00::/40")


run()
