"""A clock of its own for a node, moved by the test: all its processes see it.

A small library, preloaded by way of /etc/ld.so.preload in a mount namespace of its own (a node's processes get no
environment), adds what stands in a file. Needs root, and a C compiler.
"""
import contextlib
import mmap
import os
import shutil
import struct
import subprocess

from .node import Node

MOUNT_POINT = "/etc/ld.so.preload"
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
        self._mount_point_is_ours = not os.path.exists(MOUNT_POINT)
        scene.own(self)
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
        """How far the node's clock is from this machine's, from now on."""
        self._page[:8] = struct.pack("l", seconds)

    def stop(self) -> None:
        if self._mount_point_is_ours:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(MOUNT_POINT)


class Displaced(Node):
    """A node whose processes all have that clock."""

    def __init__(self, scene, name, clock, **options):
        super().__init__(scene, name, **options)
        self._clock = clock

    def command(self):
        mount = f'test -e {MOUNT_POINT} || : > {MOUNT_POINT}; mount --bind "$0" {MOUNT_POINT} && exec "$@"'
        return ["unshare", "--mount", "--propagation", "private", "sh", "-c", mount, self._clock.preload, *super().command()]
