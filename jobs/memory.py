"""How much memory a process holds, and may hold. Linux tells and enforces it; elsewhere there is no limit."""

import contextlib
import resource
import sys
from collections.abc import Iterator
from pathlib import Path

MB = 1_000_000


@contextlib.contextmanager
def limited_to(megabytes: int | None) -> Iterator[None]:
    """Let this process take at most so much more than it holds already; beyond that it meets a MemoryError.

    The limit is on data that is the process's own (RLIMIT_DATA). The address space would be the wrong measure: threads
    and numeric libraries reserve much more of it than they ever use.
    """
    if megabytes is None or sys.platform != "linux":
        yield
        return
    _soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = _data_bytes() + megabytes * MB
    resource.setrlimit(resource.RLIMIT_DATA, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))


def resident_bytes(pid: int) -> int:
    """What a process holds in memory; 0 where that cannot be told."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/statm", "rb") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize()
    return 0


def die_first() -> None:
    """When the machine runs out of memory, let Linux end this process before any other."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def _data_bytes() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmData:"):
            return int(line.split()[1]) * 1024
    return 0
