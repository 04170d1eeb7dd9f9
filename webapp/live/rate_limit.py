"""The rate limit for frames: a short burst, then ten per second."""

import time

BURST = 5
PER_SECOND = 10.0


class RateLimit:
    """A token bucket: the changes of a short run appear immediately, and a thousand changes become a few frames."""

    def __init__(self) -> None:
        self._tokens = float(BURST)
        self._at = time.monotonic()

    def wait(self) -> None:
        """Take a token, sleeping until one is available."""
        now = time.monotonic()
        self._tokens = min(BURST, self._tokens + (now - self._at) * PER_SECOND) - 1
        self._at = now
        if self._tokens < 0:
            time.sleep(-self._tokens / PER_SECOND)
