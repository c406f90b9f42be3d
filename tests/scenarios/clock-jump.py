"""The machine's clock jumps: what is open lives on, and validity follows the clock.

Every process of the node gets a clock of its own, moved by this test: a small library, preloaded by way of
/etc/ld.so.preload in a mount namespace of its own (a node's processes get no environment), adds what stands in a file.
Needs root. Control: the same certificate is accepted before the jump and after the clock is back.
"""
import datetime
import mmap
import os
import shutil
import struct
import subprocess

from harness import Refused, TlsStream, Truncated, channel, client_context, echo, run, test, wait_until
from harness.node import Node
from harness.refusals import CLIENT, SERVER

HOUR = 3600
CLOCK = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
static volatile long* offset;
static long none;
__attribute__((constructor)) static void set_up(void) {
  int fd = open(OFFSET_FILE, O_RDONLY | O_CLOEXEC);
  void* page = fd < 0 ? MAP_FAILED : mmap(0, 4096, PROT_READ, MAP_SHARED, fd, 0);
  offset = page == MAP_FAILED ? &none : page;
  if (fd >= 0) close(fd);
}
static long by(void) { return offset ? *offset : 0; }
int clock_gettime(clockid_t id, struct timespec* out) {
  static int (*real)(clockid_t, struct timespec*);
  if (!real) real = (int (*)(clockid_t, struct timespec*))dlsym(RTLD_NEXT, "clock_gettime");
  int result = real(id, out);
  if (result == 0 && id == CLOCK_REALTIME) out->tv_sec += by();
  return result;
}
time_t time(time_t* out) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (out) *out = now.tv_sec;
  return now.tv_sec;
}
int gettimeofday(struct timeval* out, void* zone) {
  struct timespec now;
  (void)zone;
  clock_gettime(CLOCK_REALTIME, &now);
  out->tv_sec = now.tv_sec;
  out->tv_usec = now.tv_nsec / 1000;
  return 0;
}
"""


class Clock:
    """How far the node's clock is from this machine's, in seconds."""

    def __init__(self, scene):
        if os.geteuid() != 0:
            raise AssertionError("run this test as root: it mounts a file of its own over /etc/ld.so.preload")
        self.file = scene.write("offset", bytes(4096))
        os.chmod(self.file, 0o644)
        with open(self.file, "r+b") as file:
            self._page = mmap.mmap(file.fileno(), 4096)
        source = scene.write("clock.c", CLOCK)
        self.library = scene.path("clock.so")
        subprocess.run([shutil.which("gcc") or "cc", "-shared", "-fPIC", "-O1", f'-DOFFSET_FILE="{self.file}"', source,
                        "-o", self.library, "-ldl"], check=True, timeout=60)
        self.preload = scene.write("preload", self.library + "\n")

    def jump(self, seconds: int) -> None:
        self._page[:8] = struct.pack("l", seconds)


class Displaced(Node):
    """A node whose processes all have that clock."""

    def __init__(self, scene, name, clock, **options):
        super().__init__(scene, name, **options)
        self._clock = clock

    def command(self):
        mount = 'test -e /etc/ld.so.preload || : > /etc/ld.so.preload; mount --bind "$0" /etc/ld.so.preload && exec "$@"'
        return ["unshare", "--mount", "--propagation", "private", "sh", "-c", mount, self._clock.preload, *super().command()]


class MountPoint:
    def stop(self) -> None:
        os.unlink("/etc/ld.so.preload")


@test
def jumps(scene):
    """forwards and back by hours and days: timers do not fire early, tickets and certificates are judged by the new time"""
    made_here = not os.path.exists("/etc/ld.so.preload")
    clock = Clock(scene)
    domain = scene.domain()
    server = scene.server(echo)
    where = scene.endpoint()
    node = Displaced(scene, "node", clock, workers=1, identities={
        "server": (domain.issue(SERVER, ends=datetime.timedelta(hours=40)), domain.bundle)}, channels=[channel(
            "c", listen={"listen": where, "protect": "mutual-tls", "identity": "server", "allow": [CLIENT]},
            to={"targets": [server.where], "protect": "none"}, timeouts={"idle": "30m"})])
    if made_here:  # the mount point that the namespace needs: removed when the node has ended
        scene.own(MountPoint())
    scene.own(node).start()
    node.wait_for_tickets()
    context = client_context(domain.bundle, domain.issue(CLIENT))

    def visit(session=None):
        with TlsStream.connect(where, context, session=session) as stream:
            stream.send(b"x")
            return stream.recv(), stream.resumed, stream.session

    def refused(reason, session=None):
        before = len(node.events("connection.refused"))
        try:
            answer = visit(session)[0]
        except (Refused, Truncated, OSError):
            answer = b""
        assert not answer
        assert node.wait_event("connection.refused", count=before + 1)["reason"] == reason
    with TlsStream.connect(where, context) as kept:
        def still_there():
            kept.send(b"still")
            assert kept.recv_exactly(5) == b"still"
        answer, _, session = visit()
        assert answer == b"x", "the control: accepted before the jump"
        year = node.wait_event("node.ready")["ts"][:13]
        clock.jump(HOUR // 2)
        still_there()
        assert visit(session)[0] == b"x", "half an hour later, within the client's certificate"
        clock.jump(3 * HOUR)
        still_there()  # later than the idle timeout, by the wall clock alone
        refused("expired")
        refused("expired", session)
        assert node.events("connection.refused")[-1]["ts"][:13] != year, "the log has the new time"
        clock.jump(-6 * HOUR)
        still_there()
        refused("not-yet-valid")
        clock.jump(0)
        still_there()
        wait_until(lambda: _works(visit), "new connections when the clock is right again")
    assert node.events("connection.closed")[-1]["how"] == "closed"
    for event in ("worker.died", "worker.stuck", "keyholder.died", "keyholder.stuck"):
        assert not node.events(event), event


def _works(visit):
    try:
        return visit()[0] == b"x"
    except (Refused, Truncated, OSError):
        return False


run()
