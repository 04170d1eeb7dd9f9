"""Small things the operating system knows about processes."""

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
    """Ask Linux to signal this process when its parent ends, however it ends; elsewhere do nothing.

    The parent may have ended before the request was made; then this process ends at once.
    """
    if sys.platform != "linux":
        return
    LIBC.prctl(PR_SET_PDEATHSIG, int(with_signal))
    if os.getppid() != parent_pid:
        os._exit(1)


def adopt_orphans() -> None:
    """Ask Linux to give every process beneath this one that loses its parent to it; elsewhere do nothing."""
    if ADOPTS_ORPHANS:
        LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1)


def flush_c_output() -> None:
    """Write out what C's standard streams hold back."""
    _fflush(None)
