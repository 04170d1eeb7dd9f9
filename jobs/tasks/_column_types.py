"""Find the type of each column of a table of texts, from all of its values."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

AT_ONCE = 50  # columns per query
SAMPLE_ROWS = 100
# As pandas reads them.
MISSING = (
    *("", " ", "NA", "N/A", "n/a", "#N/A", "#N/A N/A", "#NA", "<NA>", "NULL", "null", "None", "NaN", "nan", "-NaN"),
    *("-nan", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN"),
)
# Digits after a leading zero are those of a code, such as a postal code, which a number would lose.
WHOLE = r"^\s*[+-]?(0|[1-9][0-9]*)\s*$"
# A float holds 17 digits, so that longer whole numbers would be changed.
NUMBER = r"^\s*[+-]?((0|[1-9][0-9]{0,16})(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?\s*$|^\s*[+-]?inf(inity)?\s*$"
# The marks between thousands where the decimal mark is a comma, and where it is a point.
SPACES = " \u00a0\u202f"
BEFORE_COMMA, BEFORE_POINT = f"[.{SPACES}]", f"[,'’{SPACES}]"
COMMAS = rf"^\s*[+-]?(0|[1-9][0-9]{{0,2}}({BEFORE_COMMA}[0-9]{{3}})+|[1-9][0-9]{{0,16}})(,[0-9]+)?\s*$"
POINTS = rf"^\s*[+-]?(0|[1-9][0-9]{{0,2}}({BEFORE_POINT}[0-9]{{3}})+|[1-9][0-9]{{0,16}})(\.[0-9]+)?\s*$"
DAY = r"^\s*[0-9]{4,6}[-/][0-9]{1,2}[-/][0-9]{1,2}"
CLOCK = r"[0-9]{1,2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?"
DOTS = r"^\s*[0-9]{1,2}\.[0-9]{1,2}\.[0-9]{4}\s*$"
SLASHES = r"^\s*[0-9]{1,2}/[0-9]{1,2}/[0-9]{4}\s*$"
ZONE = r"\s*(Z|[+-][0-9]{2}(:?[0-9]{2})?)"


@dataclass(frozen=True)
class Kind:
    """A type of column: the pattern of its values, how a text becomes one, and what is said about it."""

    name: str
    pattern: str
    cast: str
    note: str = ""


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


COMMA = Kind(
    "DOUBLE",
    COMMAS,
    f"TRY_CAST(replace(regexp_replace({{}}, {_quoted(BEFORE_COMMA)}, '', 'g'), ',', '.') AS DOUBLE)",
    "read with decimal commas",
)
POINT = Kind(
    "DOUBLE",
    POINTS,
    f"TRY_CAST(regexp_replace({{}}, {_quoted(BEFORE_POINT)}, '', 'g') AS DOUBLE)",
    "read with decimal points and marks between thousands",
)
DAY_FIRST = Kind("DATE", SLASHES, "CAST(try_strptime(trim({}), '%d/%m/%Y') AS DATE)", "read as day/month/year")
MONTH_FIRST = Kind("DATE", SLASHES, "CAST(try_strptime(trim({}), '%m/%d/%Y') AS DATE)", "read as month/day/year")
TEXT = Kind("VARCHAR", "", "{}")
UNCLEAR = Kind("VARCHAR", "", "{}", "left as text: day and month cannot be told apart")
# The first kinds that all values fit are a column's. Of two together, values may fit both.
KINDS: Sequence[tuple[Kind, ...]] = (
    (Kind("BOOLEAN", r"^(?i:\s*(true|false)\s*)$", "TRY_CAST(trim({}) AS BOOLEAN)"),),
    (Kind("BIGINT", WHOLE, "TRY_CAST({} AS BIGINT)"),),
    (Kind("HUGEINT", WHOLE, "TRY_CAST({} AS HUGEINT)"),),
    (Kind("DOUBLE", NUMBER, "TRY_CAST({} AS DOUBLE)"),),
    (COMMA, POINT),
    (Kind("DATE", DAY + r"\s*$", "TRY_CAST(trim({}) AS DATE)"),),
    (Kind("DATE", DOTS, "CAST(try_strptime(trim({}), '%d.%m.%Y') AS DATE)"),),
    (DAY_FIRST, MONTH_FIRST),
    (Kind("TIMESTAMP", f"{DAY}[ T]{CLOCK}\\s*$", "TRY_CAST(trim({}) AS TIMESTAMP)"),),
    (Kind("TIMESTAMP WITH TIME ZONE", f"{DAY}[ T]{CLOCK}{ZONE}\\s*$", "TRY_CAST(trim({}) AS TIMESTAMPTZ)"),),
    (Kind("TIME", f"^\\s*{CLOCK}\\s*$", "TRY_CAST(trim({}) AS TIME)"),),
)

Ask = Callable[[str], Sequence[tuple[Any, ...]]]
Pair = tuple[str, Kind]


def kinds_of(ask: Ask, table: str, columns: Sequence[str], delimiter: str) -> list[Kind]:
    """Return the kind of each column, given as SQL, of a table of texts. Columns without values are texts."""
    sample = ask(f"SELECT {', '.join(columns)} FROM {table} LIMIT {SAMPLE_ROWS}")
    values = {column: [row[number] for row in sample if row[number]] for number, column in enumerate(columns)}
    found = dict.fromkeys(columns, TEXT)
    for kinds in KINDS:
        undecided = [column for column in columns if found[column] is TEXT]
        checked = [(column, kind) for column in undecided for kind in kinds if _may_be(kind, values[column])]
        for column, kind in _fitting(ask, table, checked):
            found[column] = kind if found[column] is TEXT else _one_of_both(kind, delimiter)
    return [found[column] for column in columns]


def _may_be(kind: Kind, values: Sequence[str]) -> bool:
    return all(re.match(kind.pattern, value) for value in values)


def _one_of_both(kind: Kind, delimiter: str) -> Kind:
    """Return the kind of values that fit two. Where commas separate columns, they are not in numbers."""
    if kind.name == "DATE":
        return UNCLEAR
    return POINT if delimiter == "," else COMMA


def _fitting(ask: Ask, table: str, checked: Sequence[Pair]) -> Iterator[Pair]:
    """Yield those pairs of a column and a kind that all values of the column fit, of which there must be one."""
    for at in range(0, len(checked), AT_ONCE):
        part = checked[at : at + AT_ONCE]
        tests = ", ".join(
            f"bool_and(regexp_matches({column}, {_quoted(kind.pattern)}) AND {kind.cast.format(column)} IS NOT NULL)"
            f" FILTER (WHERE {column} IS NOT NULL)"
            for column, kind in part
        )
        (fits,) = ask(f"SELECT {tests} FROM {table}")
        yield from (pair for pair, fit in zip(part, fits, strict=True) if fit)
