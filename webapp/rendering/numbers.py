"""Numbers of one column, written alike: all with as many decimals as they need and readers can compare."""

import math
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

DIGITS = 6  # significant digits of the largest number, unless it has so many before the point
LEAST_DECIMALS = 2  # kept in large amounts of money, too
LARGEST = 1e15

Format = Callable[[Any], str]


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def format_of(values: Sequence[int | float]) -> Format:
    """Return the function that writes the numbers of a column: whole ones as they are, others with equal decimals."""
    sizes = [abs(value) for value in values if value]
    if not sizes or not any(isinstance(value, float) for value in values):
        return lambda value: f"{value:.0f}" if value == 0 else str(value)
    if max(sizes) >= LARGEST:
        return _general
    whole = math.floor(math.log10(max(sizes))) + 1
    decimals = min(max(map(_decimals, values)), max(LEAST_DECIMALS, DIGITS - whole))
    # A number that would be written as zero would mislead.
    return _general if round(min(sizes), decimals) == 0 else lambda value: f"{value:z.{decimals}f}"


def _general(value: float) -> str:
    return f"{value:.{DIGITS}g}"


def _decimals(value: float) -> int:
    exponent = Decimal(repr(value)).normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0
