"""Convert the values of polars. It is not imported: its values bring it."""

import sys
from collections.abc import Callable
from typing import Any

from jobs.values.numpy_values import NANOSECONDS
from jobs.values.places import Place
from jobs.values.tables import Table, check_size

Form = Callable[[Any, Place], Any]
UNNAMED = "value"


def form_of(kind: type) -> Form | None:
    """Return how values of a type are converted, or None for a type that is not polars'."""
    polars = sys.modules.get("polars")
    if polars is None or not hasattr(polars, "DataFrame"):
        return None
    if issubclass(kind, polars.DataFrame):
        return _table
    if issubclass(kind, polars.LazyFrame):
        return lambda value, _place: value.collect()
    if issubclass(kind, polars.Series):
        return lambda value, place: _table(value.to_frame(value.name or UNNAMED), place)
    # A data type is an instance, such as List(Int64), or a class, such as Int64.
    if issubclass(kind, polars.DataType | type(polars.Int64)):
        return lambda value, _place: str(value)
    return None


def _table(frame: Any, place: Place) -> Table:
    check_size(frame.height, frame.width)
    if any(map(_has_nanoseconds, frame.get_columns())):
        place.note(NANOSECONDS)
    return Table(frame.columns, frame.iter_rows())


def _has_nanoseconds(column: Any) -> bool:
    """Return whether converting a column to Python's dates and times loses anything, at any depth."""
    kind = column.dtype.base_type().__name__
    if kind == "Struct":
        return any(map(_has_nanoseconds, column.struct.unnest().get_columns()))
    if kind in ("List", "Array"):
        return _has_nanoseconds(column.explode())
    fine = kind == "Time" or getattr(column.dtype, "time_unit", None) == "ns"
    return fine and bool((column.to_physical() % 1000 != 0).any())
