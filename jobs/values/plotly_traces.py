"""Read the points and numbers of Plotly's traces."""

import math
from collections.abc import Mapping, Sequence
from datetime import date
from itertools import zip_longest
from typing import Any

from jobs.values.charts import LONGEST_WORDS, MOST_POINTS, Kind
from jobs.values.numpy_values import listed
from jobs.values.places import Place
from jobs.values.tables import Table

# In this order they are the columns of a table.
COLUMNS = (
    *("labels", "parents", "ids", "locations", "x", "y", "z", "r", "theta", "a", "b", "c", "lat", "lon"),
    *("open", "high", "low", "close", "values", "text"),
)

X = float | str
Points = Sequence[tuple[X, float | None]]
Values = Mapping[str, Sequence[float | None]]


def points(trace: Mapping[str, Any], place: Place) -> Points:
    """Return the points of a bar, line or pie, with None for a missing number. Raises ValueError without numbers."""
    across, upwards = ("labels", "values") if trace.get("type") == "pie" else ("x", "y")
    if trace.get("orientation") == "h":
        across, upwards = upwards, across
    values = _array(trace, upwards, place)
    places = _array(trace, across, place) or range(len(values))
    return [(_position(at), _number(value)) for at, value in zip(places, values, strict=False) if at is not None]


def samples(trace: Mapping[str, Any], place: Place) -> list[float | None]:
    """Return the values that a histogram counts. Raises ValueError if they are not numbers."""
    return [_number(value) for value in _array(trace, "x" if "x" in trace else "y", place)]


def aligned(series: Mapping[str, Points]) -> tuple[Sequence[X], Values] | None:
    """Return the x of several series, and the values of each series there, with None in a gap.

    Return None if that would lose points, because a series has several at one x.
    """
    places = {name: [x for x, _ in points] for name, points in series.items()}
    first = next(iter(places.values()))
    if all(one == first for one in places.values()):
        return first, {name: [value for _, value in points] for name, points in series.items()}
    if any(len(set(one)) < len(one) for one in places.values()):
        return None
    everywhere = list(dict.fromkeys(x for one in places.values() for x in one))
    if all(isinstance(x, float) for x in everywhere):
        everywhere.sort()
    known = {name: dict(points) for name, points in series.items()}
    return everywhere, {name: [values.get(x) for x in everywhere] for name, values in known.items()}


def thinned(kind: Kind, x: Sequence[Any], values: Values, place: Place) -> tuple[Sequence[Any], Values]:
    """Return as many points as a chart of this kind can have: of lines every nth, of bars the first."""
    most = MOST_POINTS[kind] // len(values)
    if len(x) <= most:
        return x, values
    if kind == "bar":
        place.note(f"of {len(x):,} bars the first {most:,} are shown.")
        kept = slice(most)
    else:
        kept = slice(None, None, math.ceil(len(x) / most))
        place.note(f"of {len(x):,} points every {kept.step:,}th is shown.")
    return x[kept], {name: one[kept] for name, one in values.items()}


def thinned_pairs(pairs: Mapping[str, Points], place: Place) -> Mapping[str, Points]:
    """Return as many points of a scatter chart as it can have."""
    total, most = sum(map(len, pairs.values())), MOST_POINTS["scatter"]
    if total <= most:
        return pairs
    step = math.ceil(total / most)
    place.note(f"of {total:,} points every {step:,}th is shown.")
    return {name: points[::step] or points[:1] for name, points in pairs.items()}


def numbers_of(trace: Mapping[str, Any], place: Place) -> Any:
    """Return the numbers of any trace: as a table if it has columns or a grid, otherwise as they are."""
    if trace.get("type") == "table":
        header, cells = (listed(trace.get(part, {}).get("values"), place) for part in ("header", "cells"))
        return Table([_position(name) for name in header], zip_longest(*(listed(one, place) for one in cells)))
    columns = {name: values for name in COLUMNS if (values := _array(trace, name, place))}
    grid = columns.pop("z", None)
    if grid and isinstance(grid[0], list | tuple):
        names = columns.get("x") or range(len(grid[0]))
        labels = columns.get("y") or range(len(grid))
        return Table(["", *names], [[label, *row] for label, row in zip(labels, grid, strict=False)])
    if grid:
        columns["z"] = grid
    return Table(list(columns), zip_longest(*columns.values())) if columns else dict(trace)


def _array(trace: Mapping[str, Any], name: str, place: Place) -> list[Any]:
    return listed(trace.get(name), place)


def _number(value: Any) -> float | None:
    """Return a number, or None for one that is missing. Raises ValueError for anything else."""
    if value is None:
        return None
    try:
        number = float(value)
    except TypeError:
        raise ValueError("not a number") from None
    return number if math.isfinite(number) else None


def _position(value: Any) -> X:
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    return (value.isoformat() if isinstance(value, date) else str(value))[:LONGEST_WORDS]
