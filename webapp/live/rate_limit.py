"""The rate limit for frames, to a page and from it: a short burst, then so many per second."""

import threading
import time


class RateLimit:
    """A token bucket: a few frames are sent immediately, and a thousand changes become a few frames."""

    def __init__(self, burst: int, per_second: float) -> None:
        self._burst = burst
        self._per_second = per_second
        self._tokens = float(burst)
        self._at = time.monotonic()

    def wait(self, urgent: threading.Event | None = None) -> None:
        """Take a token and wait until it was available, or until something urgent happens."""
        self._take()
        if self._tokens < 0:
            (urgent or threading.Event()).wait(-self._tokens / self._per_second)

    def allows(self) -> bool:
        """Take a token and return whether it was available."""
        self._take()
        return self._tokens >= 0

    def _take(self) -> None:
        now = time.monotonic()
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._per_second) - 1
        self._at = now
