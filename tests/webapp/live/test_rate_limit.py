"""Frames are rate limited; what is urgent does not wait for its turn."""

import threading

from tests.support.waiting import until
from webapp.live.rate_limit import RateLimit

HOURLY = 1 / 3600


def test_a_burst_does_not_wait() -> None:
    limit = RateLimit(burst=5, per_second=HOURLY)
    for _ in range(5):
        limit.wait()


def test_what_is_urgent_ends_the_wait() -> None:
    limit, urgent = RateLimit(burst=1, per_second=HOURLY), threading.Event()
    limit.wait()
    waiting = threading.Thread(target=limit.wait, args=(urgent,), daemon=True)
    waiting.start()
    waiting.join(0.2)
    assert waiting.is_alive()
    urgent.set()
    until(lambda: not waiting.is_alive(), "the end of the wait")
