"""Tables: their stored form, and the values of any library that become one."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from jobs.values.errors import TooLarge

FRAME = "$table"
# As JSON each cell takes at least two bytes of 1 MB.
MOST_CELLS = 500_000
JSON_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string"}
# What JSON writes as texts, in the words of JSON Schema where it has them. A datetime is a date, too.
KINDS = {datetime: "date-time", date: "date", time: "time", timedelta: "duration", Decimal: "decimal"}


@dataclass(frozen=True)
class Table:
    """A table that is being converted: its columns' labels, which need be neither texts nor distinct, and its rows."""

    columns: Sequence[Any]
    rows: Iterable[Sequence[Any]]


class Frame(NamedTuple):
    """A stored table: column names and rows."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]


def column_type(cells: Collection[type]) -> str | None:
    """Return the type of a column whose values JSON writes as texts, or None for any other column."""
    found = {_kind(cell) for cell in cells if cell.__name__ not in ("NoneType", "NaTType")}
    return found.pop() if len(found) == 1 else None


def _kind(cell: type) -> str | None:
    return next((name for kind, name in KINDS.items() if issubclass(cell, kind)), None)


def types_of(table: Frame, kept: Any) -> list[str]:
    """Return the type of each column of a stored table: integer, number, boolean, string, any, or one of KINDS."""
    named = kept[FRAME].get("types", {})
    return [named.get(name) or _json_type([row[n] for row in table.rows]) for n, name in enumerate(table.columns)]


def _json_type(cells: Sequence[object]) -> str:
    found = {type(cell) for cell in cells if cell is not None}
    if found == {int, float}:
        return "number"
    return JSON_TYPES.get(found.pop(), "any") if len(found) == 1 else "any"


def check_size(rows: int, columns: int) -> None:
    """Raise TooLarge for a table or array that cannot be stored, before its values are converted."""
    if rows * max(1, columns) > MOST_CELLS:
        raise TooLarge


def frame_in(value: object) -> Frame | None:
    """Return the table in a stored value, or None if the value is not a valid table."""
    kept = value.get(FRAME) if isinstance(value, dict) and len(value) == 1 else None
    if not isinstance(kept, dict) or set(kept) - {"types"} != {"columns", "rows"}:
        return None
    columns, rows = kept["columns"], kept["rows"]
    if not (_is_list_of(str, columns) and _is_list_of(list, rows) and len(set(columns)) == len(columns)):
        return None
    if not isinstance(kept.get("types", {}), dict):
        return None
    return Frame(columns, rows) if all(len(row) == len(columns) for row in rows) else None


def _is_list_of(kind: type, value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, kind) for one in value)
