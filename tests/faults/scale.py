"""How much of it: `make faults` counts in full, plain `make test` runs the same tests with smaller counts."""

import os
from typing import TypeVar

T = TypeVar("T")

FULL = os.environ.get("FAULTS") == "full"


def scale(full: T, short: T) -> T:
    """The count, or whatever else differs, for the form of the suite that is being run."""
    return full if FULL else short
