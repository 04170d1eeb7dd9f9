"""The memory that a process may take. Linux enforces it; elsewhere there is no limit."""

import contextlib
import os
import resource
import sys
from collections.abc import Iterator
from pathlib import Path

MB = 1_000_000


@contextlib.contextmanager
def memory_limited_to(megabytes: int) -> Iterator[None]:
    """Limit this process to `megabytes` more memory than it holds already; beyond that, Python raises MemoryError.

    The limit is on data that is the process's own (RLIMIT_DATA). The address space would be the wrong measure: threads
    and numeric libraries reserve much more of it than they ever use.
    """
    if sys.platform != "linux":
        yield
        return
    _soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = _data_bytes() + megabytes * MB
    resource.setrlimit(resource.RLIMIT_DATA, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))


def die_first() -> None:
    """When the machine runs out of memory, let Linux end this process before any other."""
    with contextlib.suppress(OSError):
        file = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
        os.write(file, b"1000")
        os.close(file)


def _data_bytes() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmData:"):
            return int(line.split()[1]) * 1024
    return 0
