"""Small things the operating system knows about processes."""

import contextlib
import ctypes
import fcntl
import os
import signal
import sys
import tempfile

PR_SET_PDEATHSIG = 1
FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE = 1, 2


def die_with_parent(parent_pid: int, with_signal: signal.Signals) -> None:
    """Ask Linux to signal this process when its parent ends, however it ends; elsewhere do nothing.

    The parent may have ended before the request was made; then this process ends at once.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, int(with_signal))
    if os.getppid() != parent_pid:
        os._exit(1)


def flush_c_output() -> None:
    """Write out what C's standard output holds back."""
    c = ctypes.CDLL(None)
    with contextlib.suppress(ValueError):
        c.fflush(ctypes.c_void_p.in_dll(c, "__stdoutp" if sys.platform == "darwin" else "stdout"))


def nameless_file() -> int:
    """A descriptor of an empty file that has no name, and that is only ever appended to; on Linux it is on no disk."""
    if sys.platform == "linux":
        descriptor = os.memfd_create("output", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    fcntl.fcntl(descriptor, fcntl.F_SETFL, fcntl.fcntl(descriptor, fcntl.F_GETFL) | os.O_APPEND)
    return descriptor


def free(descriptor: int, size: int) -> None:
    """Give back the memory of a nameless file's first bytes; it keeps its size."""
    if sys.platform == "linux" and size:
        how = FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE
        ctypes.CDLL(None).fallocate(descriptor, how, ctypes.c_long(0), ctypes.c_long(size))


def shut(descriptor: int) -> None:
    """Empty a nameless file; on Linux whoever has it open, in any process, can write nothing to it any more."""
    os.ftruncate(descriptor, 0)
    if sys.platform == "linux":
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_GROW)
