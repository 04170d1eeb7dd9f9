"""Child processes that end with their parent. jobs.process does the same, but would cost the launcher 10 MB."""

import ctypes
import os
import signal
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
PR_SET_PDEATHSIG = 1


def die_with_parent(parent_pid: int, with_signal: signal.Signals) -> None:
    """Make Linux signal this process when its parent ends for any reason; do nothing on other systems.

    If the parent has already ended, this process exits immediately.
    """
    if sys.platform != "linux":
        return
    LIBC.prctl(PR_SET_PDEATHSIG, int(with_signal))
    if os.getppid() != parent_pid:
        os._exit(1)
