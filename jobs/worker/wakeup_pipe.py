"""A bell that a signal's handler or another thread rings, and a loop that waits for pipes hears."""

import contextlib
import os


class Bell:
    """Rung any number of times, heard once."""

    def __init__(self) -> None:
        self._hears, self._rings = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def fileno(self) -> int:
        return self._hears

    def ring(self) -> None:
        with contextlib.suppress(BlockingIOError):  # full: it has been ringing for a while
            os.write(self._rings, b"!")

    def heard(self) -> bool:
        """Whether it was rung since it was asked last."""
        with contextlib.suppress(BlockingIOError):
            return bool(os.read(self._hears, 4096))
        return False
