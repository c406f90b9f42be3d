"""What a node tells the service manager (sd_notify): ready, reloading, stopping, and its watchdog only while all answer."""
import os
import signal
import time

from harness import PlainStream, channel, echo, run, test, wait_until
from harness.systemd import Notices, ServedNode


def arrange(scene, watchdog=None, abstract=False, **options):
    notices = scene.own(Notices(f"\0{scene.folder}/notify" if abstract else scene.path("notify")))
    server = scene.server(echo)
    where = scene.endpoint()
    env = {"NOTIFY_SOCKET": notices.path.replace("\0", "@")}
    if watchdog:
        env["WATCHDOG_USEC"] = str(int(watchdog * 1e6))
    node = scene.own(ServedNode(scene, "node", env=env, channels=[channel(
        "c", listen={"listen": where, "protect": "none"}, to={"targets": [server.where], "protect": "none"}, **options)]))
    node.start()
    return notices, node, where


@test
def ready_reloading_stopping(scene):
    """READY=1, RELOADING=1 with MONOTONIC_USEC and READY=1 again, STOPPING=1 with the time it needs, and STATUS= in words"""
    notices, node, _ = arrange(scene, timeouts={"drain": "7s"})
    ready = notices.wait("READY", "1")
    assert ready["STATUS"] == "Serves 1 channel with 1 worker", ready
    for config, status in ((None, "Serves 1 channel with 1 worker"), ("[node]\nstaet = 1\n", "node.toml:")):
        since = len(notices.seen)
        before = time.clock_gettime(time.CLOCK_MONOTONIC) * 1e6
        if config:
            node.write_config(toml=config)
        node.reload()
        reloading = notices.wait("RELOADING", "1", since)
        again = notices.wait("READY", "1", since + 1)
        assert before <= int(reloading["MONOTONIC_USEC"]) <= time.clock_gettime(time.CLOCK_MONOTONIC) * 1e6, reloading
        assert status in again["STATUS"], again
        assert notices.seen[since] is reloading and notices.seen[since + 1] is again
    assert "changed nothing" in again["STATUS"], again
    node.signal(signal.SIGTERM)
    stopping = notices.wait("STOPPING", "1")
    assert int(stopping["EXTEND_TIMEOUT_USEC"]) > 7e6, stopping
    assert node.wait_exit() == 0
    assert notices.count("READY") == 3 and notices.count("STOPPING") == 1 and notices.count("WATCHDOG") == 0


@test
def abstract_socket(scene):
    """a NOTIFY_SOCKET in the abstract name space, as containers have it"""
    notices, _, _ = arrange(scene, abstract=True)
    notices.wait("READY", "1")


@test
def watchdog(scene):
    """WATCHDOG=1 while all answer; for another process's watchdog there is none"""
    notices, node, where = arrange(scene, watchdog=2)
    wait_until(lambda: notices.count("WATCHDOG") >= 3, "three notices")
    others = scene.own(Notices(scene.path("other")))
    other = scene.own(ServedNode(scene, "other", channels=[channel(
        "c", listen={"listen": scene.endpoint(), "protect": "none"}, to={"targets": [where], "protect": "none"})],
        env={"NOTIFY_SOCKET": others.path, "WATCHDOG_USEC": "2000000", "WATCHDOG_PID": "1"}))
    other.start()
    seen = notices.count("WATCHDOG")
    wait_until(lambda: notices.count("WATCHDOG") >= seen + 2, "two more notices")
    assert others.count("READY") == 1 and others.count("WATCHDOG") == 0


@test
def stuck_worker(scene):
    """a worker that stands still is found, killed and replaced, and the watchdog goes on"""
    notices, node, where = arrange(scene, watchdog=4)
    stuck = node.worker()
    os.kill(stuck, signal.SIGSTOP)
    assert node.wait_event("worker.stuck")["worker_pid"] == stuck
    node.wait_event("worker.started", count=2)
    with PlainStream.connect(where) as stream:
        stream.send(b"hello")
        assert stream.recv_exactly(5) == b"hello"
    assert node.worker() != stuck
    seen = notices.count("WATCHDOG")
    wait_until(lambda: notices.count("WATCHDOG") > seen, "the watchdog after the replacement")


@test
def stuck_keyholder(scene):
    """a keyholder that stands still is replaced too"""
    _, node, _ = arrange(scene, watchdog=4)
    stuck = node.keyholder()
    os.kill(stuck, signal.SIGSTOP)
    assert node.wait_event("keyholder.stuck")["keyholder_pid"] == stuck
    node.wait_event("keyholder.started", count=2)
    wait_until(lambda: node.status()["node"]["phase"] == "serving" and node.keyholder() != stuck, "another keyholder")


@test
def no_lie(scene):
    """when the supervisor itself stands still there is no WATCHDOG=1, and nobody is killed for it afterwards"""
    notices, node, where = arrange(scene, watchdog=1)
    wait_until(lambda: notices.count("WATCHDOG") >= 1, "a notice")
    workers = node.workers()
    os.kill(node.supervisor, signal.SIGSTOP)
    time.sleep(0.2)  # what was under way arrives
    seen = notices.count("WATCHDOG")
    time.sleep(2)  # twice as long as the service manager would have waited
    assert notices.count("WATCHDOG") == seen
    os.kill(node.supervisor, signal.SIGCONT)
    wait_until(lambda: notices.count("WATCHDOG") > seen + 1, "notices after it goes on")
    assert node.workers() == workers and not node.events("worker.stuck") and not node.events("keyholder.stuck")


run()
