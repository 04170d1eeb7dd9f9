"""Charts: what can be drawn is kept as its numbers, and for anything else there are words."""

import math
from datetime import date, datetime
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from jobs import Chart
from jobs.values.charts import chart_in
from jobs.values.json_value import json_value
from jobs.values.outcome import Failure, Success
from tests.support.calling import called

LOSS = Chart("line", {"train": [0.9, 0.4], "test": [1, None]}, [1, 2], title="Loss")


@pytest.mark.parametrize(
    "chart",
    [
        LOSS,
        Chart("bar", np.arange(3), x=[date(2026, 1, 1), "b", 3]),
        Chart("scatter", {"a": [(1, 2), (3.5, 4)]}),
        Chart("scatter", np.arange(3), np.arange(3)),
        Chart.histogram(np.arange(100), 7, title="Ages"),
        Chart("bar", []),
    ],
)
def test_a_chart_is_kept_as_it_is(chart: Chart) -> None:
    def draw() -> Chart:
        return chart

    outcome, _heard = called(draw)
    assert isinstance(outcome, Success)
    kept = chart_in(outcome.result)
    assert kept is not None
    assert json_value(kept) == json_value(chart)


@pytest.mark.parametrize(
    "x",
    [
        np.array(["2026-01-02", "2026-01-03"], "M8[ns]"),
        pd.date_range("2026-01-02", periods=2),
        pl.Series([datetime(2026, 1, 2), datetime(2026, 1, 3)]),
    ],
)
def test_dates_of_any_library_are_labels(x: Any) -> None:
    assert Chart("line", [1, 2], x).x == ["2026-01-02T00:00:00", "2026-01-03T00:00:00"]


def test_periods_and_intervals_are_labels() -> None:
    assert Chart("bar", [1], pd.period_range("2026-01", periods=1, freq="M")).x == ["2026-01"]
    assert Chart("bar", [1], pd.interval_range(0, 1)).x == ["(0, 1]"]


def test_a_histogram_counts_every_value_once() -> None:
    chart = Chart.histogram({"a": [0, 1, 1, 2], "b": [2, None, float("nan")]}, 2)
    assert (chart.x, chart.series) == ([0, 1, 2], {"a": [1, 3], "b": [0, 1]})
    assert Chart.histogram([5, 5], 3).x[0] == 4.5
    assert Chart.histogram([5, 5]).x == [4.5, 5.5]
    counts = Chart.histogram(np.random.default_rng(1).normal(size=1000)).series[""]
    assert np.sum(np.array(counts, dtype=int)) == 1000


@pytest.mark.parametrize("most", [1, 6, 16, 20, 21, 30, 999])
def test_each_bin_of_whole_numbers_holds_as_many_of_them(most: int) -> None:
    chart = Chart.histogram(range(1, most + 1))
    *full, last = (float(str(count)) for count in chart.series[""])
    assert len(set(full)) <= 1
    assert last <= max(full, default=last)
    assert len(full) < 20
    assert sum(full) + last == most


@pytest.mark.parametrize("values", [[2.0**60, 2.0**60 + 4096], [-(2.0**60), 1.0], [0.5, 1.0]])
def test_numbers_that_are_not_whole_or_too_large_to_tell_have_twenty_bins(values: list[float]) -> None:
    assert 1 < len(Chart.histogram(values).series[""]) <= 20


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("pie", [1]), "kind: Input should be 'bar'"),
        (("bar", [1, float("nan")]), "series 1: Input should be a finite number"),
        (("line", {"a": [1, "x"]}), "series a 1: Input should be a valid number"),
        (("line", [1e200]), "series 0: Input should be less than or equal to 1000"),
        (("line", {"a": [1], "b": [1, 2]}), "every series must have one value per x"),
        (("line", [1, 2], [1]), "every series must have one value per x"),
        (("line", {}), "1 to 8 series, not 0"),
        (("line", {str(number): [1] for number in range(9)}), "1 to 8 series, not 9"),
        (("line", range(6000)), "at most 5,000 points, not 6,000: draw every tenth"),
        (("bar", [(1, 2)]), "only a scatter chart without x"),
        (("scatter", [1], ["a"]), "the x of a scatter chart must be numbers"),
        (("histogram", [1, 2], [1, 3, 2]), "in ascending order"),
        (("bar", {"a" * 201: [1]}), "at most 200 characters"),
    ],
)
def test_what_cannot_be_drawn_says_why(arguments: Any, words: str) -> None:
    def draw() -> Chart:
        return Chart(*arguments)

    outcome, _heard = called(draw)
    assert isinstance(outcome, Failure)
    assert outcome.message.startswith("This chart cannot be drawn: ")
    assert words in outcome.message


@pytest.mark.parametrize("change", [{"kind": "pie"}, {"series": {}}, {"href": "javascript:alert(1)"}, {"x": "abc"}])
def test_what_has_not_the_form_of_a_chart_is_none(change: Any) -> None:
    kept = json_value(LOSS)
    assert chart_in({"$chart": {**kept["$chart"], **change}}) is None
    assert chart_in({**kept, "more": 1}) is None
    assert chart_in({"$chart": {}}) is None


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (2e100, "x 0: Input should be less than or equal to 1000"),
        (math.nan, "x 0: Input should be .*finite number"),
        (None, "x 0: Input should be a valid number"),
        ("long" * 100, "x 0: String should have at most 200 characters"),
    ],
)
def test_what_is_wrong_with_a_label_is_said_of_what_it_is(x: Any, words: str) -> None:
    with pytest.raises(ValueError, match=f"^This chart cannot be drawn: {words}"):
        Chart("line", [1], [x])
