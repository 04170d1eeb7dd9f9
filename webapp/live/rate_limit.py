"""How fast frames may follow each other to one page: a few at once, then ten a second."""

import time

BURST = 5
PER_SECOND = 10.0


class RateLimit:
    """A token bucket: a task that starts and ends at once is shown at once, a thousand changes are a few frames."""

    def __init__(self) -> None:
        self._tokens = float(BURST)
        self._at = time.monotonic()

    def keep(self) -> None:
        """Wait, if need be, until the next frame may follow."""
        now = time.monotonic()
        self._tokens = min(BURST, self._tokens + (now - self._at) * PER_SECOND) - 1
        self._at = now
        if self._tokens < 0:
            time.sleep(-self._tokens / PER_SECOND)
