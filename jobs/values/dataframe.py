"""What numerical packages bring as plain values: data frames as tables, arrays as lists, their numbers as numbers.

None of these packages is imported here: whoever returns such a value has it already.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

FRAME = "$table"
FRAMES = frozenset({"pandas", "polars", "pyarrow"})


class Frame(NamedTuple):
    """A kept table: the names of its columns, and its rows."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]


def plain(value: Any) -> Any:
    """A value that JSON does not know as one that it does. Raises TypeError for what is none of them."""
    package = type(value).__module__.partition(".")[0]
    if package in FRAMES and (hasattr(type(value), "columns") or hasattr(value, "to_frame")):
        return _table(value)
    if package == "numpy" and hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"a value of type {type(value).__name__} has no form in JSON; return its parts, or a file of it")


def frame_in(value: object) -> Frame | None:
    """A kept value as a table, if it was a data frame."""
    kept = value.get(FRAME) if isinstance(value, dict) and len(value) == 1 else None
    if not isinstance(kept, dict) or set(kept) != {"columns", "rows"}:
        return None
    columns, rows = kept["columns"], kept["rows"]
    if not (_is_list_of(str, columns) and _is_list_of(list, rows) and len(set(columns)) == len(columns)):
        return None
    return Frame(columns, rows) if all(len(row) == len(columns) for row in rows) else None


def _table(value: Any) -> dict[str, Any]:
    import narwhals

    # What is evaluated late is evaluated now: it is to be shown.
    there = value.collect() if hasattr(value, "collect") else value
    native = there if hasattr(there, "columns") else there.to_frame()
    frame = narwhals.from_native(_with_labels(native), eager_only=True)
    rows = [[_cell(cell) for cell in row] for row in frame.iter_rows()]
    return {FRAME: {"columns": [str(name) for name in frame.columns], "rows": rows}}


def _with_labels(frame: Any) -> Any:
    """A frame of pandas with the labels of its rows as columns, where they say more than which row it is."""
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
    """What is missing is None, in whichever of its ways the package says so."""
    if type(value).__name__ in ("NaTType", "NAType") or (isinstance(value, float) and math.isnan(value)):
        return None
    return value


def _is_list_of(kind: type, value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, kind) for one in value)
