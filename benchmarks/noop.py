"""No-op jobs for the benchmarks."""

import time


def nothing() -> None:
    """Do nothing."""


def nothing_kept() -> None:
    """Do nothing, in the process of the previous run."""


def moment() -> float:
    """Return the time of its start, by the monotonic clock that all processes of a machine share."""
    return time.monotonic()
