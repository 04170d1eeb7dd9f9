"""Reduce a table with many numeric columns to two principal components."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from jobs import Chart, File, FileField, FinalFailure, Markdown, Progress, Show, Workspace, task

from ._csv_files import Encoding
from ._tables import Column, Table, opened

if TYPE_CHECKING:
    from ._components import Numbers

EXAMPLES = Path(__file__).with_name("examples")
MOST_ROWS = 100_000
MOST_POINTS = 1000  # in the chart
MOST_GROUPS = 7  # besides "others"
MOST_COMPONENTS = 5  # in the table
LONGEST_LABEL = 60
NUMBERS = ("BIGINT", "DOUBLE", "HUGEINT", "DECIMAL", "INTEGER")


@task(
    title="Principal components of a table",
    group="Tables",
    tags=["csv", "pca", "statistics"],
    icon="chart",
    timeout=1800,
    memory=1000,
    example={"table": File.at(EXAMPLES / "irises.csv"), "group": "species"},
)
def principal_components(
    table: Annotated[File, FileField(accept=(".csv", ".tsv", ".txt"), max_mb=1000)],
    group: Annotated[str, Field(max_length=200, description="A column to colour the points by.")] = "",
    encoding: Annotated[Encoding, Show(advanced=True)] = "Automatic",
    *,
    workspace: Workspace,
    progress: Progress,
) -> tuple[Any, ...]:
    """Draw each row of a table as a point, with similar rows close together (PCA of the standardised columns)."""
    from ._components import components

    with opened(table, workspace, progress, encoding) as data:
        values, names, groups = _sample(data, group)
    points, directions, shares = components(values)
    return (
        Markdown(
            f"**{len(points):,} rows, {len(names)} columns**, {shares[0] + shares[1]:.0%} of their variance shown"
        ),
        _scatter(points, groups, shares),
        _loadings(names, directions, shares),
    )


def _sample(data: Table, group: str) -> tuple[list[tuple[float, ...]], list[str], list[str]]:
    """Return a reproducible sample of up to MOST_ROWS complete rows, the names of their columns, and their groups."""
    by_name = {column.name: column for column in data.columns}
    if group and group not in by_name:
        raise FinalFailure(f"The table has no column {group!r}. It has {', '.join(by_name)}.")
    varying = [one for one in data.columns if one.type.startswith(NUMBERS) and one.name != group and _varies(data, one)]
    if len(varying) < 2:
        raise FinalFailure("At least two columns must contain different numbers. Choose another table.")
    label = f"left(coalesce(CAST({by_name[group].sql} AS VARCHAR), ''), {LONGEST_LABEL})" if group else "''"
    columns = ", ".join(f"CAST({one.sql} AS DOUBLE)" for one in varying)
    complete = " AND ".join(f"isfinite(CAST({one.sql} AS DOUBLE))" for one in varying)
    data.tell(0.5, "computing the components")
    rows = data.ask(
        f"SELECT {label}, {columns} FROM (FROM data WHERE {complete})"
        f" USING SAMPLE reservoir({MOST_ROWS} ROWS) REPEATABLE (1)"
    )
    if len(rows) < 3:
        raise FinalFailure("At least three rows must have a number in every numeric column. Choose another table.")
    return [row[1:] for row in rows], [one.name for one in varying], [row[0] for row in rows]


def _varies(data: Table, column: Column) -> bool:
    ((least, most),) = data.ask(f"SELECT min({column.sql}), max({column.sql}) FROM data")
    return bool(least != most)


def _scatter(points: "Numbers", groups: list[str], shares: "Numbers") -> Chart:
    step = -(-len(points) // MOST_POINTS)
    frequent = {name for name, _count in Counter(groups).most_common(MOST_GROUPS)}
    series: dict[str, list[tuple[float, float]]] = {}
    for (x, y), name in zip(points[::step, :2], groups[::step], strict=True):
        series.setdefault(name if name in frequent else "others", []).append((float(x), float(y)))
    labels = [f"Component {number + 1} ({share:.0%})" for number, share in enumerate(shares[:2])]
    return Chart("scatter", dict(sorted(series.items())), title="Rows", x_label=labels[0], y_label=labels[1])


def _loadings(names: list[str], directions: "Numbers", shares: "Numbers") -> list[dict[str, Any]]:
    """Return the weight of each column in each component, after each component's share of the variance."""
    shown = range(min(MOST_COMPONENTS, len(directions)))
    variance = {"column": "(share of variance)", **{f"component {n + 1}": round(float(shares[n]), 4) for n in shown}}
    return [variance] + [
        {"column": name, **{f"component {n + 1}": round(float(directions[n, at]), 4) for n in shown}}
        for at, name in enumerate(names)
    ]
