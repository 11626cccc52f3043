"""The row `disk`: a full disk, and each system call of the store that fails once. The daemon ends or says that it is not
ready, nothing is acknowledged or published that is not on disk, and the next start goes on.
"""

import os
import re
import subprocess
import time
from pathlib import Path

# The store's log alone may grow to 64 MiB before it is cut back.
TMPFS_BYTES = 192 << 20
ENDS_WITHIN_SECONDS = 12
READY_STATUS = 200
CALLS = ("pwrite64", "fdatasync", "fsync", "ftruncate", "openat", "pread64", "unlink", "fcntl", "mmap", "fstat")
ERRORS = ("EIO", "ENOSPC")
# A failure of these on the store's own files must end the daemon.
MUST_END = re.compile(r"(pwrite64|fdatasync|fsync|ftruncate)\(\d+<[^>]*/heliograph\.db(-wal)?>.*\(INJECTED\)")
LIVES_FOR_SECONDS = 2.0
# What a failure brings about is there by then.
SHOWN_WITHIN_SECONDS = 0.4
LOOKED_EVERY_SECONDS = 0.1
FIRST, LAST = 1, 100


class SmallDisk:
    """A small file system in memory at `path`; `with` mounts it."""

    def __init__(self, path):
        self.path = Path(path)

    def __enter__(self):
        self.path.mkdir(mode=0o700)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={TMPFS_BYTES},mode=0700", "tmpfs", self.path], check=True)
        return self

    def __exit__(self, *_):
        subprocess.run(["umount", "--lazy", self.path], check=True)

    def fill(self):
        """Takes all the room that is left."""
        with open(self.path / "ballast", "ab") as ballast:
            block = b"x" * 65_536
            try:
                while True:
                    os.write(ballast.fileno(), block)
            except OSError:
                pass  # that was the last of it

    def free(self):
        """Gives the room back."""
        (self.path / "ballast").unlink(missing_ok=True)


def fill_again_and_again(disk, count):
    """A plan: the disk is full while work flows, so many times."""

    def run(leg):
        for name in ("ends when full", "lives on when full"):
            leg.figures[name] = 0
        for _ in range(count):
            leg.up()
            time.sleep(leg.rng.uniform(0.1, 0.8))
            leg.fault("full")
            disk.fill()
            code = leg.daemon.await_end(ENDS_WITHIN_SECONDS)
            if code == 0:
                leg.daemon.ended_itself.append("it ended with 0 on a full disk")
            leg.figures["lives on when full" if code is None else "ends when full"] += 1
            disk.free()
            leg.fault("room again")
            leg.daemon.end()
        leg.figures["cycles"] = count

    return run


def cells(seed, count):
    """Parts of (call, error, which call fails), so that the legs go through all of them in turn."""
    every = [(call, error, nth) for nth in range(FIRST, LAST + 1) for call in CALLS for error in ERRORS]
    first = (seed - 1) * count % len(every)
    return (every + every)[first : first + count]


def fail_calls(some):
    """A plan: a life of its own for each cell."""

    def run(leg):
        leg.figures |= {"calls made to fail": 0, "of them reached": 0}
        for call, error, nth in some:
            leg.kill()
            leg.fault(f"{call} {error} {nth}")
            _live_with(leg, call, error, nth)
            leg.fault("cell over")
            leg.daemon.under = []
            leg.up()
            leg.figures["calls made to fail"] += 1

    return run


def _live_with(leg, call, error, nth):
    traced = leg.folder / "traced"
    traced.unlink(missing_ok=True)
    # As a grandchild, so that the process that is started is the daemon itself.
    leg.daemon.under = [
        "strace", "-D", "-f", "-y", "-qq", "--seccomp-bpf", "-o", str(traced),
        "-e", f"trace={call}", "-e", f"inject={call}:error={error}:when={nth}",
    ]  # fmt: skip
    leg.daemon.start()
    code, said = _once_failed(leg, traced)
    leg.figures["of them reached"] += "(INJECTED)" in said
    if code == 0:
        leg.daemon.ended_itself.append(f"it ended with 0 after {call} {nth} failed with {error}")
    if code is None and MUST_END.search(said) and leg.daemon.await_end(ENDS_WITHIN_SECONDS) is None:
        if leg.daemon.status("/readyz") == READY_STATUS:
            line = MUST_END.search(said)[0]
            leg.daemon.ended_itself.append(f"it goes on after {line[:200]}")
    leg.daemon.end()


def _once_failed(leg, traced):
    """How the daemon ended, if it did, a moment after the call failed or when it does not come to it; what was traced."""
    code, said = None, ""
    deadline = time.monotonic() + LIVES_FOR_SECONDS
    while code is None and time.monotonic() < deadline:
        if "(INJECTED)" in said:
            deadline = min(deadline, time.monotonic() + SHOWN_WITHIN_SECONDS)
        code = leg.daemon.await_end(LOOKED_EVERY_SECONDS)
        said = traced.read_text(errors="replace") if traced.exists() else ""
    return code, said
