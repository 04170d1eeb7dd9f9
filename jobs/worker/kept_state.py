"""Detects whether a run changed the state of a process that is kept."""

import contextlib
import os
import signal
import threading
from typing import Any


class KeptState:
    """A snapshot of the process state that the next run of the task must not inherit changed."""

    def __init__(self) -> None:
        self._before = _state()

    def is_unchanged(self) -> bool:
        return _state() == self._before and not _has_children()


def _state() -> tuple[Any, ...]:
    threads = {thread.ident for thread in threading.enumerate()}
    handlers = [signal.getsignal(number) for number in sorted(signal.valid_signals())]
    alarms = [signal.getitimer(kind) for kind in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)]
    return threads, handlers, alarms, _cwd(), _umask(), dict(os.environ)


def _cwd() -> str | None:
    with contextlib.suppress(OSError):
        return os.getcwd()
    return None


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _has_children() -> bool:
    """Return whether there is a child process, living or not yet waited for."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True
