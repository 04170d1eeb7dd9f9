"""A process that ends with its parent, as in jobs.process, which costs 10 MB that the launcher does without."""

import ctypes
import os
import signal
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
PR_SET_PDEATHSIG = 1


def die_with_parent(parent_pid: int, with_signal: signal.Signals) -> None:
    """Ask Linux to signal this process when its parent ends, however it ends; elsewhere do nothing.

    The parent may have ended before the request was made; then this process ends at once.
    """
    if sys.platform != "linux":
        return
    LIBC.prctl(PR_SET_PDEATHSIG, int(with_signal))
    if os.getppid() != parent_pid:
        os._exit(1)
