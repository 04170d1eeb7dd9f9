"""Convert the values of numerical packages to JSON: data frames to tables, arrays to lists, their scalars to numbers.

These packages are never imported here: a task that returns such a value has already imported the package.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

FRAME = "$table"
FRAMES = frozenset({"pandas", "polars", "pyarrow"})


class Frame(NamedTuple):
    """A stored table: column names and rows."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]


def plain(value: Any) -> Any:
    """Convert a data frame, array or NumPy scalar to JSON values. Raises TypeError for any other type."""
    package = type(value).__module__.partition(".")[0]
    if package in FRAMES and (hasattr(type(value), "columns") or hasattr(value, "to_frame")):
        return _table(value)
    if package == "numpy" and hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"a value of type {type(value).__name__} has no JSON form; return its parts, or a file")


def frame_in(value: object) -> Frame | None:
    """Return the table in a stored value, or None if the value is not a valid table."""
    kept = value.get(FRAME) if isinstance(value, dict) and len(value) == 1 else None
    if not isinstance(kept, dict) or set(kept) != {"columns", "rows"}:
        return None
    columns, rows = kept["columns"], kept["rows"]
    if not (_is_list_of(str, columns) and _is_list_of(list, rows) and len(set(columns)) == len(columns)):
        return None
    return Frame(columns, rows) if all(len(row) == len(columns) for row in rows) else None


def _table(value: Any) -> dict[str, Any]:
    import narwhals

    # Evaluate a lazy frame, because its rows are needed now.
    there = value.collect() if hasattr(value, "collect") else value
    native = there if hasattr(there, "columns") else there.to_frame()
    frame = narwhals.from_native(_with_labels(native), eager_only=True)
    rows = [[_cell(cell) for cell in row] for row in frame.iter_rows()]
    return {FRAME: {"columns": [str(name) for name in frame.columns], "rows": rows}}


def _with_labels(frame: Any) -> Any:
    """Return a pandas frame with its index as columns, unless the index only numbers the rows."""
    index = getattr(frame, "index", None)
    if index is None or not hasattr(frame, "reset_index"):
        return frame
    tells = any(index.names) or getattr(index.dtype, "kind", "O") not in "iu"
    frame = frame.reset_index(drop=not tells)
    frame.columns = [_one_name(name) for name in frame.columns]
    return frame


def _one_name(name: Any) -> str:
    return " ".join(str(part) for part in name if part != "") if isinstance(name, tuple) else str(name)


def _cell(value: Any) -> Any:
    """Return None for any of the packages' markers of a missing value, and other values unchanged."""
    if type(value).__name__ in ("NaTType", "NAType") or (isinstance(value, float) and math.isnan(value)):
        return None
    return value


def _is_list_of(kind: type, value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, kind) for one in value)
