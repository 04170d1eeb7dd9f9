import random
from pathlib import Path
from typing import Any

import pytest

from jobs import Chart, File, FinalFailure, Markdown, Progress
from jobs.tasks.principal_components import principal_components


def look(folder: Path, content: str, group: str = "") -> tuple[str, Chart, list[dict[str, Any]]]:
    path = folder / "a.csv"
    path.write_text(content)
    summary, chart, loadings = principal_components(File.at(path), group, workspace=folder, progress=Progress())
    assert isinstance(summary, Markdown)
    assert isinstance(chart, Chart)
    return summary.text, chart, loadings


def clouds(groups: int, rows: int = 300) -> str:
    """Points around as many places on a line, in a space of three dimensions of very different units."""
    dice = random.Random(1)
    lines = ["small,large,noise,kind,label"]
    for number in range(rows):
        place = number % groups
        near = place * 10 + dice.gauss(0, 1)
        lines.append(f"{near / 1000},{near * 1000 + dice.gauss(0, 1)},{dice.gauss(0, 1)},kind {place},row {number}")
    return "\n".join(lines)


def test_the_first_component_goes_where_the_columns_vary_together(tmp_path: Path) -> None:
    summary, _chart, loadings = look(tmp_path, clouds(3))
    assert "300 rows, 3 columns" in summary
    share, small, large, noise = (row["component 1"] for row in loadings)
    assert share == pytest.approx(2 / 3, abs=0.02)
    assert (small, large) == (pytest.approx(0.5**0.5, abs=0.02), pytest.approx(0.5**0.5, abs=0.02))
    assert abs(noise) < 0.2


def test_the_groups_lie_apart(tmp_path: Path) -> None:
    _summary, chart, _loadings = look(tmp_path, clouds(3), group="kind")
    spans = [
        (min(x for x, _y in points), max(x for x, _y in points))
        for points in map(list, map(chart.points, chart.series))
    ]
    assert list(chart.series) == ["kind 0", "kind 1", "kind 2"]
    assert spans[0][1] < spans[1][0] or spans[0][0] > spans[1][1]
    assert spans[1][1] < spans[2][0] or spans[1][0] > spans[2][1]


def test_of_many_groups_the_smallest_are_others_and_of_many_rows_some_are_drawn(tmp_path: Path) -> None:
    _summary, chart, _loadings = look(tmp_path, clouds(20, rows=5000), group="kind")
    assert len(chart.series) == 8
    assert "others" in chart.series
    assert 500 <= sum(map(len, chart.series.values())) <= 1000


def test_rows_with_gaps_and_columns_that_never_vary_are_left_out(tmp_path: Path) -> None:
    summary, _chart, loadings = look(tmp_path, "a,b,same\n1,2,5\n2,1,5\n,3,5\n4,,5\n5,9,5\nnan,1,5\n")
    assert "3 rows, 2 columns" in summary
    assert [row["column"] for row in loadings[1:]] == ["a", "b"]


@pytest.mark.parametrize(
    ("content", "group", "words"),
    [
        ("a,b\n1,x\n2,y\n3,z\n", "", "At least two columns"),
        ("a,b\n1,1\n1,1\n1,1\n", "", "At least two columns"),
        ("a,b\n1,2\n2,1\n", "", "At least three rows"),
        ("a,b\n1,2\n2,1\n3,3\n", "color", "no column 'color'. It has a, b"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_words(tmp_path: Path, content: str, group: str, words: str) -> None:
    with pytest.raises(FinalFailure, match=words):
        look(tmp_path, content, group)
