"""Profile the columns of a CSV file."""

import math
import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from jobs import Chart, File, FileField, Markdown, Progress, Show, Workspace, task
from jobs.authoring.file_parameters import MB

from ._csv_files import Encoding
from ._tables import Column, Table, opened

EXAMPLES = Path(__file__).with_name("examples")
MOST_CHARTS = 16
AT_ONCE = 50  # columns per query; each needs 1 MB of memory during the query
BINS = 20
TOP = 12  # most frequent values in a chart
LONGEST_LABEL = 60
MOST_PERIODS = 60
PERIODS = {"day": 1, "week": 7, "month": 30.4, "quarter": 91.3, "year": 365.2, "decade": 3_652, "century": 36_524}
WHOLE = ("BIGINT", "HUGEINT", "INTEGER")
LARGEST_WHOLE = 2.0**50  # below this, a float can represent the halves between whole numbers
LONGEST_TIME = 400 * 36_524 * 86_400  # seconds; the longest range, in centuries, that a chart can show
NUMBERS = ("BIGINT", "DOUBLE", "HUGEINT", "DECIMAL", "INTEGER")
TIMES = ("DATE", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE")
TYPES = {
    **dict.fromkeys((*WHOLE, "BIGNUM"), "whole number"),
    **dict.fromkeys(("DOUBLE", "DECIMAL"), "number"),
    "VARCHAR": "text",
    "BOOLEAN": "yes or no",
    "TIMESTAMP": "date and time",
}
# Include periods without rows, so that the time axis has no gaps.
COUNTED = """
WITH counted AS (SELECT {begins} AS begins, count(*) AS times {known} GROUP BY 1),
every AS (SELECT unnest(generate_series(min(begins), max(begins), INTERVAL '1 {period}')) AS begins FROM counted)
SELECT CAST(CAST(begins AS DATE) AS VARCHAR), coalesce(times, 0) FROM every LEFT JOIN counted USING (begins)
ORDER BY begins"""
# Both work on disk where memory does not suffice, unlike count(DISTINCT ...) and median(...).
DISTINCT = "SELECT count(*) FROM (SELECT DISTINCT {0} FROM data WHERE {0} IS NOT NULL)"
MIDDLE = "SELECT {0} AS value FROM data WHERE {0} IS NOT NULL ORDER BY 1 LIMIT {1} OFFSET {2}"
BETWEEN = """SELECT CAST(min(value) AS VARCHAR), CAST(max(value) AS VARCHAR),
CAST(make_timestamp(CAST((min(epoch_us(value)) + max(epoch_us(value))) // 2 AS BIGINT)) AS VARCHAR) FROM ({})"""
UNITS = ((MB, "MB"), (1000, "kB"), (0, "bytes"))
MIDNIGHT = " 00:00:00"
SPECIAL = re.compile(r"([\\`*_{}\[\]()#+.!|<>~&-])")  # in Markdown


@task(
    title="Profile of a CSV file",
    group="Tables",
    tags=["csv", "tsv", "statistics"],
    icon="table",
    timeout=3600,
    memory=1000,
    example={"table": File.at(EXAMPLES / "irises.csv")},
)
def profile_csv(
    table: Annotated[File, FileField(accept=(".csv", ".tsv", ".txt"), max_mb=1000)],
    header: Annotated[bool, Field(title="The first line contains column names"), Show(advanced=True)] = True,
    encoding: Annotated[Encoding, Show(advanced=True)] = "Automatic",
    *,
    workspace: Workspace,
    progress: Progress,
) -> tuple[Any, ...]:
    """Show the columns of a CSV file with their types, missing values, statistics and distributions."""
    with opened(table, workspace, progress, encoding, header) as data:
        return (_summary(table, data), _columns(data), *_charts(data))


def _summary(file: File, data: Table) -> Markdown:
    unit, name = next((unit, name) for unit, name in UNITS if file.size >= unit)
    size = f"{file.size / unit:,.1f} {name}" if unit > 1 else f"{file.size} {name}"
    lines = [f"**{data.rows:,} rows, {len(data.columns):,} columns**, {size}"]
    if data.left_out:
        lines.append(f"{data.left_out:,} lines were skipped because they have too many fields or cannot be read.")
    if len(data.columns) > MOST_CHARTS:
        lines.append(f"Charts are shown for the first {MOST_CHARTS} columns.")
    lines += [SPECIAL.sub(r"\\\1", note) for note in data.notes]
    lines.append("Empty cells and those with NA, N/A, NaN, NULL or None are counted as missing.")
    return Markdown("\n\n".join(lines))


def _columns(data: Table) -> list[dict[str, Any]]:
    rows = []
    for number, column in enumerate(data.columns):
        data.tell(0.7 * number / len(data.columns), f"counting {column.name[:100]}")
        rows.append(_row(data, column))
    return rows


def _row(data: Table, column: Column) -> dict[str, Any]:
    """Return the statistics of a column, all of them exact."""
    ends = [f"{function}({column.sql})" for function in ("min", "max")]
    if not _is_number(column):
        ends = [f"CAST({end} AS VARCHAR)" for end in ends]
    ((known, least, most),) = data.ask(f"SELECT count({column.sql}), {', '.join(ends)} FROM data")
    ((distinct,),) = data.ask(DISTINCT.format(column.sql))
    missing = data.rows - known
    return {
        "column": column.name,
        "type": _spoken(column.type),
        "missing": missing,
        "missing %": round(100 * missing / data.rows, 2) if data.rows else 0.0,
        "distinct": distinct,
        "least": least,
        "median": _median(data, column, known),
        "mean": _mean(data, column, known),
        "greatest": most,
    }


def _median(data: Table, column: Column, known: int) -> Any:
    """Return the middle value, or the middle of the two middle ones; None for a column that has none."""
    if not known or not (_is_number(column) or column.type in TIMES):
        return None
    middle = MIDDLE.format(column.sql, 2 - known % 2, (known - 1) // 2)
    if not _is_number(column):
        ((low, high, between),) = data.ask(BETWEEN.format(middle))
        zone = "+00" if column.type == "TIMESTAMP WITH TIME ZONE" else ""
        return low if low == high else (between.removesuffix(MIDNIGHT) if column.type == "DATE" else between + zone)
    ((low, high),) = data.ask(f"SELECT min(value), max(value) FROM ({middle})")
    if low == high or not (math.isfinite(low) and math.isfinite(high)):
        return low
    between = (Fraction(low) + Fraction(high)) / 2
    return int(between) if between.denominator == 1 and column.type in WHOLE else float(between)


def _mean(data: Table, column: Column, known: int) -> float | None:
    if not known or not _is_number(column):
        return None
    if column.type == "BIGINT":
        ((total,),) = data.ask(f"SELECT sum({column.sql}) FROM data")
        return float(Fraction(total, known))
    ((mean,),) = data.ask(f"SELECT favg(CAST({column.sql} AS DOUBLE)) FROM data")
    return float(f"{mean:.15g}")  # a sum of floats has about as many digits


def _charts(data: Table) -> Iterator[Chart]:
    drawn = data.columns[:MOST_CHARTS]
    for number, column in enumerate(drawn):
        data.tell(0.7 + 0.3 * (number + 1) / (len(drawn) + 1), column.name[:100])
        draw = _spread if _is_number(column) else _over_time if column.type in TIMES else _most_frequent
        if chart := draw(data, column):
            yield chart


def _spread(data: Table, column: Column) -> Chart | None:
    """Return a histogram of a numeric column; None if it has no usable numbers."""
    number = f"TRY_CAST({column.sql} AS DOUBLE)"
    usable = f"{number} BETWEEN -1e100 AND 1e100"
    ((least, most),) = data.ask(f"SELECT min({number}), max({number}) FROM data WHERE {usable}")
    if least is None:
        return None
    width, bins = (most - least) / BINS or 1.0, BINS
    if column.type in WHOLE and max(-least, most) < LARGEST_WHOLE:  # each bin covers the same number of integers
        width = math.ceil((most - least + 1) / BINS)
        least, bins = least - 0.5, math.ceil((most - least + 1) / width)
    place = f"least(floor(({number} - ?) / ?), {bins - 1})"
    counted = data.ask(f"SELECT {place} AS place, count(*) FROM data WHERE {usable} GROUP BY 1", least, width)
    counts = {int(place): count for place, count in counted}
    edges = [least + width * number for number in range(bins + 1)]
    if len(set(edges)) < len(edges):  # the range is too small for floats of this size
        return None
    return Chart("histogram", [counts.get(n, 0) for n in range(bins)], edges, title=_title(column), y_label="Rows")


def _over_time(data: Table, column: Column) -> Chart | None:
    """Return a chart of the rows per day, week, month or longer; None if the dates are missing or too far apart."""
    known = f"FROM data WHERE isfinite({column.sql})"
    ((seconds,),) = data.ask(f"SELECT epoch(max({column.sql})) - epoch(min({column.sql})) {known}")
    if seconds is None or seconds > LONGEST_TIME:
        return None
    period = next((name for name, days in PERIODS.items() if seconds / 86_400 / days < MOST_PERIODS), "century")
    begins = f"date_trunc('{period}', make_timestamp(epoch_us({column.sql})))"
    counted = data.ask(COUNTED.format(begins=begins, known=known, period=period))
    labels, counts = zip(*counted, strict=True)
    return Chart("bar", list(counts), list(labels), title=f"{_title(column)}, by {period}", y_label="Rows")


def _most_frequent(data: Table, column: Column) -> Chart | None:
    """Return a chart of the most frequent values; None if no value occurs twice."""
    value = f"left(CAST({column.sql} AS VARCHAR), {LONGEST_LABEL})"
    counted = data.ask(
        f"SELECT {value}, count(*) FROM data WHERE {column.sql} IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {TOP}"
    )
    if not counted or counted[0][1] == 1:
        return None
    labels, counts = zip(*counted, strict=True)
    return Chart("bar", list(counts), [label or "(empty)" for label in labels], title=_title(column), y_label="Rows")


def _is_number(column: Column) -> bool:
    return column.type.startswith(NUMBERS)


def _spoken(kind: str) -> str:
    return next((words for name, words in TYPES.items() if kind.startswith(name)), kind.lower())


def _title(column: Column) -> str:
    return column.name[:100] or "(no name)"
