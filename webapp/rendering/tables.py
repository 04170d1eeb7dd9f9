"""Results that are tables: sorted, searched and paged, and as CSV."""

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property
from typing import Any

from jobs.values import MARKS, frame_in
from webapp.rendering.numbers import Format, format_of, is_number
from webapp.rendering.query import whole_number
from webapp.threads import DRAWING

# A table that is a part of a result has less room.
ROWS_PER_PAGE, ROWS_OF_PART = 50, 20
# More columns would be slow to display and impossible to read; the CSV contains all of them.
MOST_COLUMNS = 40
# Leading characters that turn a CSV cell into a formula; some spreadsheets also accept the full-width forms.
FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20", "\t", "\r", "\n")
SEPARATING = re.compile(r"""[,;\t|"\r\n]""")  # commas, and what spreadsheets take for one in some countries
# A Decimal is stored as text in this form; it sorts as a number and is exported as one.
NUMBER = re.compile(r"[+-]?\d{1,400}(\.\d{1,400})?", re.ASCII)
LONGEST_QUERY = 200
FEW_ROWS = 1000


@dataclass(frozen=True)
class Table:
    """A table of rows, each a mapping from column to value; columns may be missing in a row."""

    rows: Sequence[Mapping[str, Any]]
    names: Sequence[str] = ()

    @cached_property
    def columns(self) -> Sequence[str]:
        """All columns, in order of first appearance."""
        return self.names or list(dict.fromkeys(name for row in self.rows for name in row))

    def csv(self) -> str:
        """Return the whole table as RFC 4180 CSV, escaping texts that a spreadsheet would run as formulas."""
        rows = [self.columns, *([row.get(name) for name in self.columns] for row in self.rows)]
        return "".join(map(csv_line, rows))


@dataclass(frozen=True)
class View:
    """A page of the rows that contain `query`, sorted by the column with index `by` if it is set."""

    table: Table
    by: int | None = None
    descending: bool = False
    page: int = 1
    size: int = ROWS_PER_PAGE
    query: str = ""

    @property
    def columns(self) -> Sequence[str]:
        """The displayed columns, at most MOST_COLUMNS."""
        return self.table.columns[:MOST_COLUMNS]

    @cached_property
    def formats(self) -> Mapping[str, Format]:
        """The formats of the columns that contain only numbers on this page."""
        values = {name: [row[name] for row in self.rows if row.get(name) is not None] for name in self.columns}
        return {name: format_of(column) for name, column in values.items() if all(map(is_number, column))}

    @cached_property
    def decimals(self) -> Collection[str]:
        """The columns that contain only decimals, which are stored as texts, on this page."""
        return {name for name in self.columns if all(_is_decimal(row.get(name)) for row in self.rows)}

    @property
    def pages(self) -> int:
        return max(1, -(-len(self.matching) // self.size))

    @property
    def first(self) -> int:
        """The number of this page's first row among all that match."""
        return (self.page - 1) * self.size + 1

    @cached_property
    def matching(self) -> Sequence[Mapping[str, Any]]:
        """The rows of which a cell contains the query, ignoring case."""
        wanted = self.query.casefold()
        return [row for row in self.table.rows if _contains(row, wanted)] if wanted else self.table.rows

    @cached_property
    def rows(self) -> Sequence[Mapping[str, Any]]:
        """The rows of this page."""
        # Looking through half a million cells takes as long as drawing a chart.
        return DRAWING.call(self._page) if len(self.table.rows) > FEW_ROWS else self._page()

    def link(self, **changes: Any) -> dict[str, Any]:
        """Return the query parameters of this view with some changes; `view` is the inverse."""
        asked = {"by": self.by, "order": "desc" if self.descending else None, "q": self.query or None, **changes}
        return {name: value for name, value in asked.items() if value is not None}

    def _page(self) -> Sequence[Mapping[str, Any]]:
        return self._ordered[self.first - 1 : self.first - 1 + self.size]

    @property
    def _ordered(self) -> Sequence[Mapping[str, Any]]:
        if self.by is None:
            return self.matching
        name = self.table.columns[self.by]
        known = [row for row in self.matching if row.get(name) is not None]
        ordered = sorted(known, key=lambda row: _rank(row[name]), reverse=self.descending)
        return [*ordered, *(row for row in self.matching if row.get(name) is None)]


def table_in(value: object) -> Table | None:
    """Return a stored value as a table if it is a data frame or a list of dicts."""
    if frame := frame_in(value):
        return Table([dict(zip(frame.columns, row, strict=True)) for row in frame.rows], frame.columns)
    if not isinstance(value, list) or not value or not all(isinstance(row, dict) for row in value):
        return None
    table = Table(value)
    return table if table.columns and not any(len(row) == 1 and MARKS & row.keys() for row in value) else None


def view(table: Table, query: Mapping[str, str]) -> View:
    """Return the view that a query string requests, ignoring invalid values."""
    by = whole_number(query.get("by"))
    by = by if by is not None and by < len(table.columns) else None
    words = query.get("q", "").strip()[:LONGEST_QUERY]
    size = ROWS_OF_PART if query.get("part") else ROWS_PER_PAGE
    shown = View(table, by, query.get("order") == "desc", size=size, query=words)
    return replace(shown, page=min(max(whole_number(query.get("page")) or 1, 1), shown.pages))


def first_view(table: Table, part: str | None) -> View:
    """Return the first page of a table that is a whole result or, with its address, a part of one."""
    return View(table, size=ROWS_OF_PART if part else ROWS_PER_PAGE)


def _is_decimal(value: Any) -> bool:
    return value is None or (isinstance(value, str) and "." in value and NUMBER.fullmatch(value) is not None)


def _contains(row: Mapping[str, Any], wanted: str) -> bool:
    return any(wanted in _searched(value) for value in row.values())


def _searched(value: Any) -> str:
    if isinstance(value, str):
        return value.casefold()
    if isinstance(value, bool):
        return "yes" if value else "no"
    return json.dumps(value, ensure_ascii=False).casefold() if isinstance(value, dict | list) else str(value)


def _rank(value: Any) -> tuple[int, Any]:
    """Return a sort key that orders numbers before texts, and texts before other values."""
    if isinstance(value, int | float):
        return (0, value)
    if isinstance(value, str) and NUMBER.fullmatch(value):
        return (0, Decimal(value))
    return (1, value.casefold()) if isinstance(value, str) else (2, json.dumps(value, sort_keys=True))


def csv_line(values: Iterable[Any]) -> str:
    """Return a line of CSV; one without a value would be no row."""
    line = ",".join(map(_csv, values)) or '""'
    return f"{line}\r\n"


def _csv(value: Any) -> str:
    """Return a cell of a CSV, in quotes if some program would see a separator in it."""
    cell = _cell(value)
    text = "" if cell is None else str(cell)
    return '"{}"'.format(text.replace('"', '""')) if SEPARATING.search(text) else text


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        formula = value.startswith(FORMULA) or value.lstrip().startswith(FORMULA)
        return f"'{value}" if formula and not NUMBER.fullmatch(value) else value
    return json.dumps(value) if isinstance(value, dict | list | bool) else value
