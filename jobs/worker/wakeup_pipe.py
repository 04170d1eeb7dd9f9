"""A self-pipe: lets a signal handler or another thread wake a poll loop."""

import contextlib
import os


class WakeupPipe:
    """A pipe that is readable after `wake`; waking it again before it is read changes nothing."""

    def __init__(self) -> None:
        self._reads, self._writes = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def fileno(self) -> int:
        return self._reads

    def wake(self) -> None:
        with contextlib.suppress(BlockingIOError):  # full, so the loop wakes anyway
            os.write(self._writes, b"!")

    def was_woken(self) -> bool:
        """Return whether it was woken since the last call."""
        with contextlib.suppress(BlockingIOError):
            return bool(os.read(self._reads, 4096))
        return False
