"""Profile the columns of a CSV file."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from jobs import Chart, File, FileField, Markdown, Progress, Show, Workspace, task
from jobs.authoring.file_parameters import MB

from ._tables import Column, Encoding, Table, opened

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
# The statistics shown for each column, and their names in DuckDB's SUMMARIZE.
SUMMARY = {
    "column": "column_name",
    "type": "column_type",
    "missing %": "null_percentage",
    "distinct (approx.)": "approx_unique",
    "least": "min",
    "median": "q50",
    "mean": "avg",
    "greatest": "max",
}


@task(title="Profile of a CSV file", timeout=3600, example={"table": File.at(EXAMPLES / "irises.csv")})
def profile_csv(
    table: Annotated[File, FileField(accept=(".csv", ".tsv", ".txt"), max_mb=1000)],
    header: Annotated[bool, Field(title="The first line contains column names"), Show(advanced=True)] = True,
    encoding: Annotated[Encoding, Show(advanced=True)] = "UTF-8",
    *,
    workspace: Workspace,
    progress: Progress,
) -> tuple[Any, ...]:
    """Show the columns of a CSV file with their types, missing values, statistics and distributions."""
    with opened(table, workspace, progress, encoding, header) as data:
        return (_summary(table, data), _columns(data), *_charts(data))


def _summary(file: File, data: Table) -> Markdown:
    size = f"{file.size / MB:,.1f} MB" if file.size >= MB else f"{file.size / 1000:,.1f} kB"
    lines = [f"**{data.rows:,} rows, {len(data.columns):,} columns**, {size}"]
    if data.left_out:
        lines.append(f"{data.left_out:,} lines were skipped because they do not match the other lines.")
    if len(data.columns) > MOST_CHARTS:
        lines.append(f"Charts are shown for the first {MOST_CHARTS} columns.")
    return Markdown("\n\n".join(lines))


def _columns(data: Table) -> list[dict[str, Any]]:
    data.tell(0.0, "counting")
    names = [column.sql for column in data.columns]
    parts = (", ".join(names[at : at + AT_ONCE]) for at in range(0, len(names), AT_ONCE))
    asked = (f"SELECT {', '.join(SUMMARY.values())} FROM (SUMMARIZE SELECT {part} FROM data)" for part in parts)
    return [_row(*values) for question in asked for values in data.ask(question)]


def _row(name: str, kind: str, missing: Any, distinct: int, *typical: str | None) -> dict[str, Any]:
    shown = [_rounded(text) if kind.startswith(NUMBERS) and text else text for text in typical]
    return dict(zip(SUMMARY, (name, _spoken(kind), float(missing or 0), distinct, *shown), strict=True))


def _charts(data: Table) -> Iterator[Chart]:
    drawn = data.columns[:MOST_CHARTS]
    for number, column in enumerate(drawn):
        data.tell((number + 1) / (len(drawn) + 1), column.name[:100])
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


def _rounded(text: str) -> float:
    """Return a whole number unchanged, and any other number with six significant digits."""
    return int(text) if text.lstrip("-").isdecimal() else float(f"{float(text):.6g}")


def _is_number(column: Column) -> bool:
    return column.type.startswith(NUMBERS)


def _spoken(kind: str) -> str:
    return next((words for name, words in TYPES.items() if kind.startswith(name)), kind.lower())


def _title(column: Column) -> str:
    return column.name[:100] or "(no name)"
