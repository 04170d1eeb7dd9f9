"""Process-level system calls."""

import ctypes
import os
import signal
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
PR_SET_PDEATHSIG = 1
_fflush = LIBC.fflush
PR_SET_CHILD_SUBREAPER = 36
ADOPTS_ORPHANS = sys.platform == "linux"


def die_with_parent(parent_pid: int, with_signal: signal.Signals) -> None:
    """Make Linux signal this process when its parent ends; do nothing on other systems.

    If the parent has already ended, exit at once.
    """
    if sys.platform != "linux":
        return
    LIBC.prctl(PR_SET_PDEATHSIG, int(with_signal))
    if os.getppid() != parent_pid:
        os._exit(1)


def adopt_orphans() -> None:
    """Make this process the parent of orphaned descendants on Linux; do nothing on other systems."""
    if ADOPTS_ORPHANS:
        LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1)


def flush_c_output() -> None:
    """Flush the buffers of C's standard streams."""
    _fflush(None)
