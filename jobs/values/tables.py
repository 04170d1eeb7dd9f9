"""Tables: their stored form, and the values of any library that become one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from jobs.values.errors import TooLarge

FRAME = "$table"
# As JSON each cell takes at least two bytes of 1 MB.
MOST_CELLS = 500_000


@dataclass(frozen=True)
class Table:
    """A table that is being converted: its columns' labels, which need be neither texts nor distinct, and its rows."""

    columns: Sequence[Any]
    rows: Iterable[Sequence[Any]]


class Frame(NamedTuple):
    """A stored table: column names and rows."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]


def check_size(rows: int, columns: int) -> None:
    """Raise TooLarge for a table or array that cannot be stored, before its values are converted."""
    if rows * max(1, columns) > MOST_CELLS:
        raise TooLarge


def frame_in(value: object) -> Frame | None:
    """Return the table in a stored value, or None if the value is not a valid table."""
    kept = value.get(FRAME) if isinstance(value, dict) and len(value) == 1 else None
    if not isinstance(kept, dict) or set(kept) != {"columns", "rows"}:
        return None
    columns, rows = kept["columns"], kept["rows"]
    if not (_is_list_of(str, columns) and _is_list_of(list, rows) and len(set(columns)) == len(columns)):
        return None
    return Frame(columns, rows) if all(len(row) == len(columns) for row in rows) else None


def _is_list_of(kind: type, value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, kind) for one in value)
