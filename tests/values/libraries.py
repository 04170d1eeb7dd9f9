"""Values of types that are known by what they offer: rows of databases, records, and forms for notebooks."""

import sqlite3
from collections.abc import Iterator
from typing import Any

import duckdb

from jobs import Markdown
from tests.values.case import Case, table


class Weight:
    """A quantity, as libraries for units have them."""

    def __str__(self) -> str:
        return "3 kg"


class Table:
    """A value that notebooks show in a form of its own."""

    def _repr_html_(self) -> str:
        return "<table><tr><td>soup</td></tr></table>"


class Lines:
    """A value that can only be iterated over."""

    def __iter__(self) -> Iterator[str]:
        return iter(["a", "b"])


def rows_of_sqlite(row_factory: Any = None) -> Any:
    connection = sqlite3.connect(":memory:")
    connection.row_factory = row_factory
    return connection.execute("SELECT 1 AS a, NULL AS b, x'ff00' AS c UNION SELECT 2, 'x', x'00'")


CASES = {
    "what has a text": Case(
        lambda: {"weight": Weight()}, {"weight": "3 kg"}, ["weight: a value of type Weight is shown as its text."]
    ),
    "what notebooks show": Case(Table, {"$html": "<table><tr><td>soup</td></tr></table>"}, shown=["soup"]),
    "what can be iterated over": Case(Lines, ["a", "b"]),
    "half characters in formatted text": Case(lambda: Markdown("a\ud800"), {"$markdown": "a\\ud800"}),
    "query of DuckDB": Case(lambda: duckdb.sql("SELECT 1 AS a, 'x' AS b"), table("ab", [1, "x"])),
    "cursor": Case(rows_of_sqlite, table("abc", [1, None, "ff00"], [2, "x", "00"]), ["rows[0].c, rows[1].c: bytes"]),
    "row of a database": Case(
        lambda: rows_of_sqlite(sqlite3.Row).fetchone(), {"a": 1, "b": None, "c": "ff00"}, ["c: bytes that are not text"]
    ),
}
