"""Waiting for a condition instead of for a time."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE_SECONDS = 60.0
BETWEEN_LOOKS_SECONDS = 0.02


def until(condition: Callable[[], T], what: str, patience: float = PATIENCE_SECONDS) -> T:
    """The condition's first truthy value. Raises AssertionError, naming what was awaited, when none comes."""
    deadline = time.monotonic() + patience
    never = threading.Event()
    while not (value := condition()):
        assert time.monotonic() < deadline, f"{what} did not happen within {patience:.0f} s"
        never.wait(BETWEEN_LOOKS_SECONDS)
    return value
