"""A target that goes down and comes up again and again costs no client its connection."""
import threading

from harness import run, test
from harness.backends import Backends, wait_health


class Flapping(Backends):
    """The first server says what the test wants when it is asked how it is; to clients it is always kind."""
    well = True

    def start(self, i: int) -> None:
        def behaviour(stream, conversation):
            while data := stream.recv():
                if data.startswith(b"GET"):
                    status = b"200 OK" if i or self.well else b"503 Not now"
                    stream.send(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")
                else:
                    stream.send(self.names[i].encode())
        self.servers[i] = self.scene.server(behaviour, where=self.wheres[i])


@test
def flapping(scene):
    """clients all the while: every one is served, by whoever is up; the log has each change, once"""
    backends = Flapping(scene, 3)
    node = backends.node(workers=2,
                         health={"check": "http", "interval": "100ms", "timeout": "100ms", "fall": 1, "rise": 1})
    wait_health(node, backends.wheres[0], "up")
    stop, served = threading.Event(), []

    def clients():
        while not stop.is_set():
            served.append(backends.ask())
    threads = [threading.Thread(target=clients, daemon=True) for _ in range(3)]
    for thread in threads:
        thread.start()
    flaps = 6
    for _ in range(flaps):
        for well, health in ((False, "down"), (True, "up")):
            backends.well = well
            wait_health(node, backends.wheres[0], health)
    stop.set()
    for thread in threads:
        thread.join(20)
    assert len(served) > 50 and served.count("") == 0, f"{served.count('')} of {len(served)} were not served"
    assert set(served) == {"a", "b", "c"}
    downs = node.events("target.down", target=backends.wheres[0])
    ups = node.events("target.up", target=backends.wheres[0])
    assert len(downs) == flaps and len(ups) == flaps, (downs, ups)
    print(f"{len(served)} connections over {flaps} flaps, 0 failed")


run()
