"""The shortest jobs there are."""

import time


def nothing() -> None:
    """Do nothing."""


def nothing_kept() -> None:
    """Do nothing, in the process of the run before."""


def moment() -> float:
    """Tell when it was started, by the clock that all processes of a machine share."""
    return time.monotonic()
