"""Waiting for a condition instead of for a time."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE_SECONDS = 60.0
# The longer it takes, the less often it is looked: looking costs, and what is awaited needs the processor.
SHORTEST_WAIT_SECONDS = 0.005
LONGEST_WAIT_SECONDS = 0.06


def until(condition: Callable[[], T], what: str, patience: float = PATIENCE_SECONDS) -> T:
    """The condition's first truthy value. Raises AssertionError, naming what was awaited, when none comes."""
    deadline = time.monotonic() + patience
    never, wait = threading.Event(), SHORTEST_WAIT_SECONDS
    while not (value := condition()):
        assert time.monotonic() < deadline, f"{what} did not happen within {patience:.0f} s"
        never.wait(wait)
        wait = min(wait * 1.2, LONGEST_WAIT_SECONDS)
    return value
