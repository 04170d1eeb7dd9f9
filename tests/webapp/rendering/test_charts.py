"""Charts on pages: drawings without style or script, with words and numbers for who does not see them."""

import math
import re
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs import Chart
from jobs.runs.backend import Backend
from jobs.runs.output_entries import OutputKind
from jobs.runs.run import Run, State
from jobs.values.json_value import json_value
from tests.browser.test_hostile_text import TEXTS
from tests.support.people import claimed, make_run, owner_id
from tests.support.visitor import Visitor, soup, the
from tests.support.work import calls_of
from tests.webapp.runs.test_output import put_out
from webapp.rendering.charts import NARROW, _svg, rows

LOSS = Chart("line", {"train": [0.9, 0.4, 0.2], "test": [1, None, 0.5]}, [1, 2, 3], title="Loss", x_label="Epoch")
CHARTS = {
    "bar": Chart("bar", {"2025": [3, -1], "2026": [4, 2]}, ["north", "south"]),
    "line": LOSS,
    "line of texts": Chart("line", [1, 2, 3], ["Mon", "Tue", "Wed"]),
    "scatter": Chart("scatter", {"a": [(1, 2), (3, 4)], "b": [(2, 2)]}),
    "histogram": Chart.histogram([1, 2, 2, 3, 3, 3, None, float("nan")], 3),
    "nothing": Chart("bar", []),
}
# Some 0.15 seconds, in which the event loop takes no other step.
MOST_CALLS = 800_000


def shown(backend: Backend, visitor: Visitor, chart: Chart) -> Run:
    owner = owner_id(backend, visitor.email)
    return make_run(backend, owner, state=State.SUCCEEDED, result=json_value(chart))


@pytest.mark.parametrize("kind", CHARTS)
def test_a_chart_is_drawn_with_its_words_and_numbers(ada: Visitor, backend: Backend, kind: str) -> None:
    chart = CHARTS[kind]
    figure = the(soup(ada.get(f"/runs/{shown(backend, ada, chart).id}")), "figure.chart")
    drawing = the(figure, "svg[role=img]")
    assert [one.name for one in drawing.find_all(recursive=False)][:2] == ["title", "desc"]
    assert the(drawing, "title").text == (chart.title or "A chart")
    assert figure.select("[style], style, script, defs") == []
    assert [one.text.strip() for one in figure.select(".chart__legend li")] == [name for name in chart.series if name]
    cells = [cell.text for cell in figure.select("details tbody tr:first-child td")]
    assert len(figure.select("details tbody tr")) == len(rows(chart))
    if kind == "line":
        assert cells == ["1", "0.9", "1.0"]
        assert len(drawing.select(".dot")) == 5
        assert len({dot["d"] for dot in drawing.select(".dot")}) == 2
        assert [one.text for one in figure.select(".chart__label")] == ["Epoch"]


def test_its_numbers_can_be_had_as_a_table_and_as_csv(ada: Visitor, backend: Backend) -> None:
    run = shown(backend, ada, LOSS)
    assert [cell.text for cell in soup(ada.get(f"/runs/{run.id}/table")).select("td")][:3] == ["1", "0.9", "1.0"]
    lines = ada.get(f"/runs/{run.id}/table.csv").data.decode("utf-8-sig").splitlines()
    assert lines == ["Epoch,train,test", "1.0,0.9,1.0", "2.0,0.4,", "3.0,0.2,0.5"]


def test_the_bins_of_a_histogram_are_labelled_by_their_edges() -> None:
    assert rows(CHARTS["histogram"]) == [
        {"x": "1 to 1.66667", "Count": 1.0},
        {"x": "1.66667 to 2.33333", "Count": 2.0},
        {"x": "2.33333 to 3", "Count": 3.0},
    ]


@pytest.mark.parametrize(("count", "shown", "aslant"), [(7, 7, False), (8, 8, True), (16, 16, True), (40, 7, False)])
def test_as_many_names_stand_below_bars_as_there_is_room_for(count: int, shown: int, aslant: bool) -> None:
    names = [f"name {number}" for number in range(count)]
    drawing = ElementTree.fromstring(_svg(Chart("bar", [1] * count, names)))
    labels = [one for one in drawing.iter("text") if one.text in names]
    assert len(labels) == shown
    assert all(("transform" in one.attrib) == aslant for one in labels)


def ticks(chart: Chart, axis: str) -> list[str | None]:
    """The words at an axis of a chart's drawing."""
    groups = (group for group in ElementTree.fromstring(_svg(chart)).iter() if f"axis {axis}" in group.get("class", ""))
    return [one.text for group in groups for one in group.iter("text")]


@pytest.mark.parametrize(
    ("chart", "across", "upwards"),
    [
        (Chart.histogram([1, 2, 2]), "1 2", "0 1 2"),
        (Chart.histogram([4]), "4", "0 1"),
        (Chart.histogram([0.1, 0.2, 0.2], 2), "0.1 0.12 0.14 0.16 0.18 0.2", "0 1 2"),
        (Chart("histogram", [0.5, 2], [0, 1, 2]), "0 1 2", "0 0.4 0.8 1.2 1.6 2"),
        (Chart("bar", {"2025": [3, -1], "2026": [2, None]}, ["north", "south"]), "north south", "-1 0 1 2 3"),
        (Chart("bar", [1, 0.5], ["a", "b"]), "a b", "0 0.2 0.4 0.6 0.8 1"),
        (Chart("bar", [7, 4], ["a", "b"]), "a b", "0 2 4 6"),
        (Chart("line", [0.2, None, 0.6]), "1 2 3", "0.24 0.32 0.4 0.48 0.56"),
        (Chart("scatter", [(1.5, 100), (1.9, 102)]), "1.52 1.6 1.68 1.76 1.84", "100 101 102"),
    ],
)
def test_few_whole_numbers_have_whole_ticks_and_others_have_not(chart: Chart, across: str, upwards: str) -> None:
    assert (ticks(chart, "x"), ticks(chart, "y")) == (across.split(), upwards.split())


def test_a_row_of_the_history_tells_its_title(ada: Visitor, backend: Backend) -> None:
    shown(backend, ada, LOSS)
    page = soup(ada.get("/runs"))
    assert the(page, ".run__result").text.strip() == "Loss"
    assert page.select(".run svg[role=img]") == []


def test_a_chart_may_be_a_partial_result(ada: Visitor, backend: Backend) -> None:
    run = claimed(backend, make_run(backend, owner_id(backend, ada.email)))
    put_out(backend, run, json_value(LOSS), kind=OutputKind.EMITTED)
    assert len(soup(ada.get(f"/runs/{run.id}")).select(".emitted figure.chart")) == 1


@pytest.mark.parametrize("text", TEXTS)
def test_hostile_words_are_only_text(ada: Visitor, backend: Backend, text: str) -> None:
    words = json_value(text)[:200]
    for chart in (
        Chart("bar", {words: [1]}, [words], title=words, x_label=words, y_label=words),
        Chart("line", {words: [1, 2]}, [words, words], title=words),
    ):
        figure = the(soup(ada.get(f"/runs/{shown(backend, ada, chart).id}")), "figure.chart")
        assert figure.select(".owned, script, style, [style], [onload], [hx-get]") == []
        assert the(figure, ".chart__title").text == words


LARGEST = {
    "bar": Chart("bar", {str(n): [*range(62)] for n in range(8)}),
    "line": Chart("line", {str(n): [(7 * n * k) % 13 for k in range(625)] for n in range(8)}),
    "scatter": Chart("scatter", [(k % 17, k % 23) for k in range(1000)]),
    "histogram": Chart.histogram(range(5000), 500),
}


@pytest.mark.parametrize("kind", LARGEST)
def test_the_largest_chart_is_drawn_within_a_moment_and_is_not_huge(kind: str) -> None:
    _svg(LOSS)
    assert calls_of(lambda: _svg(LARGEST[kind])) < MOST_CALLS
    assert len(_svg(LARGEST[kind])) < 250_000


def test_each_mark_tells_its_place_and_value_in_both_drawings(ada: Visitor, backend: Backend) -> None:
    chart = Chart("bar", {"2025": [3, None], "2026": [4, 2.5]}, ["north", "south"])
    drawings = soup(ada.get(f"/runs/{shown(backend, ada, chart).id}")).select("figure.chart > svg[role=img]")
    assert ["chart__drawing--wide" in one["class"] for one in drawings] == [True, False]
    for drawing in drawings:
        assert [one.text for one in drawing.select(".rect title")] == [
            "2025, north: 3",
            "2026, north: 4",
            "2026, south: 2.5",
        ]
    told = {
        "line": ["train, 1: 0.9", "train, 2: 0.4", "train, 3: 0.2", "test, 1: 1", "test, 3: 0.5"],
        "scatter": ["a, 1: 2", "a, 3: 4", "b, 2: 2"],
        "histogram": ["1 to 1.66667: 1", "1.66667 to 2.33333: 2", "2.33333 to 3: 3"],
    }
    for kind, titles in told.items():
        marks = ElementTree.fromstring(_svg(CHARTS[kind], NARROW)).iter()
        assert [one[0].text for one in marks if one.tag in ("path", "rect") and len(one)] == titles


# Linear light as seen with all cones, and without one kind of them (Machado, Oliveira and Fernandes, 2009).
SIGHT = {
    "all cones": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "no red": ((0.152, 1.053, -0.205), (0.115, 0.786, 0.099), (-0.004, -0.048, 1.052)),
    "no green": ((0.367, 0.861, -0.228), (0.280, 0.673, 0.047), (-0.012, 0.043, 0.969)),
    "no blue": ((1.256, -0.077, -0.179), (-0.078, 0.931, 0.148), (0.005, 0.691, 0.304)),
}
TO_CONES = ((0.4122, 0.5363, 0.0514), (0.2119, 0.6807, 0.1074), (0.0883, 0.2817, 0.6300))
TO_OKLAB = ((0.2105, 0.7936, -0.0041), (1.9780, -2.4286, 0.4506), (0.0259, 0.7828, -0.8087))
STYLE = Path(__file__).parents[3] / "static/css/charts.css"


def applied(matrix: Sequence[Sequence[float]], vector: Sequence[float]) -> list[float]:
    return [sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix]


def seen(colour: str, sight: str) -> list[float]:
    """A colour in Oklab, in which distances are as large as they look."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    cones = applied(TO_CONES, [min(1.0, max(0.0, part)) for part in applied(SIGHT[sight], linear)])
    return applied(TO_OKLAB, [cone ** (1 / 3) for cone in cones])


@pytest.mark.parametrize("sight", SIGHT)
def test_the_colours_of_series_differ_for_every_reader(sight: str) -> None:
    colours = re.findall(r"--series-\d: light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\);", STYLE.read_text())
    assert len(colours) == 8
    for theme in zip(*colours, strict=True):
        least = min(math.dist(seen(one, sight), seen(other, sight)) for one, other in combinations(theme, 2))
        assert least > 0.09  # a just noticeable difference is some 0.02


numbers = st.none() | st.floats(-1e100, 1e100)


@settings(max_examples=60, deadline=None)
@given(kind=st.sampled_from(["bar", "line"]), values=st.lists(numbers, max_size=6), constant=st.booleans())
def test_whatever_numbers_it_has_it_can_be_drawn(kind: Any, values: list[float | None], constant: bool) -> None:
    drawn = values[:1] * 4 if constant else values
    for chart in (Chart(kind, drawn), Chart("scatter", drawn), Chart.histogram(drawn, 3)):
        assert not re.search("nan|inf", _svg(chart).partition("</desc>")[2])
