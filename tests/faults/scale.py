"""The scale of the fault tests: full with `make faults`, and smaller counts of the same tests with `make test`."""

import os
from typing import TypeVar

T = TypeVar("T")

FULL = os.environ.get("FAULTS") == "full"


def scale(full: T, short: T) -> T:
    """Return the value for the form of the suite that is being run, such as a count."""
    return full if FULL else short
