"""Values of numerical packages: data frames become tables, arrays lists, and missing values stay missing."""

import math
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from jobs.values.json_value import LARGEST_BYTES, ResultError, json_value
from jobs.values.tables import frame_in, types_of

PEOPLE = {"name": ["Ada", None], "age": [36.5, float("nan")], "born": [datetime(1815, 12, 10, tzinfo=UTC), None]}
KEPT = {
    "columns": ["name", "age", "born"],
    "rows": [["Ada", 36.5, "1815-12-10T00:00:00Z"], [None, None, None]],
    "types": {"born": "date-time"},
}


@pytest.mark.parametrize("frame", [pd.DataFrame(PEOPLE), pl.DataFrame(PEOPLE), pl.LazyFrame(PEOPLE)])
def test_a_data_frame_is_a_table_with_empty_cells_where_nothing_is(frame: Any) -> None:
    kept = json_value({"people": frame})["people"]
    assert kept == {"$table": KEPT}
    assert frame_in(kept) == (KEPT["columns"], KEPT["rows"])


def test_columns_have_types_that_json_has_not() -> None:
    day, length = date(2026, 1, 2), timedelta(hours=1)
    frame = pl.DataFrame({"n": [1, None], "x": [1.5, 2], "day": [day, None], "took": [length] * 2, "ok": [True, False]})
    kept = json_value(frame)
    assert kept["$table"]["types"] == {"day": "date", "took": "duration"}
    found = frame_in(kept)
    assert found
    assert types_of(found, kept) == ["integer", "number", "date", "duration", "boolean"]
    mixed = json_value(pd.DataFrame({"a": [Decimal("1.10"), day], "b": [1, "x"], "c": [pd.NaT, pd.Timestamp(day)]}))
    assert mixed["$table"]["types"] == {"c": "date-time"}


def test_a_frame_without_rows_still_has_its_columns() -> None:
    assert json_value(pl.DataFrame({"a": [], "b": []})) == {"$table": {"columns": ["a", "b"], "rows": []}}


def test_the_labels_of_rows_are_kept_where_they_say_something() -> None:
    frame = pd.DataFrame({"dish": ["soup", "soup", "cake"], "price": [1, 3, 5]})
    assert json_value(frame.groupby("dish").sum()) == {
        "$table": {"columns": ["dish", "price"], "rows": [["cake", 5], ["soup", 4]]}
    }
    assert json_value(frame)["$table"]["columns"] == ["dish", "price"]
    assert json_value(frame["price"].describe())["$table"]["rows"][0] == ["count", 3.0]
    counted = json_value(frame.groupby("dish").agg(["min", "max"]))["$table"]["columns"]
    assert counted == ["dish", "price min", "price max"]
    assert json_value(pl.Series("a", [1, 2])) == {"$table": {"columns": ["a"], "rows": [[1], [2]]}}


def test_plain_values_of_other_kinds_are_what_they_say() -> None:
    value = {
        "scalar": np.float32(0.5),
        "whole": np.int64(3),
        "array": np.arange(4).reshape(2, 2),
        "truth": np.bool_(True),
        "decimal": Decimal("1.10"),
        "set": {1},
        "at": datetime(2026, 1, 2, tzinfo=UTC),
        "lost": np.float64("nan"),
    }
    assert json_value(value) == {
        "scalar": 0.5,
        "whole": 3,
        "array": [[0, 1], [2, 3]],
        "truth": True,
        "decimal": "1.10",
        "set": [1],
        "at": "2026-01-02T00:00:00Z",
        "lost": "NaN",
    }


def test_what_has_no_form_in_json_says_what_to_do() -> None:
    with pytest.raises(ResultError, match="type module has no JSON form; return its parts, or a file"):
        json_value({"module": math})
    with pytest.raises(ResultError, match=r"stored. parts\[1\]: It cannot be stored as JSON: a value of type function"):
        json_value({"parts": [1, json_value]})


def test_what_is_too_large_says_what_to_do() -> None:
    with pytest.raises(ResultError, match=r"too large.*Return a file instead: Download"):
        json_value(pl.DataFrame({"a": ["x" * 100] * (LARGEST_BYTES // 100)}))


@pytest.mark.parametrize(
    "change",
    [{"columns": ["a", "a"]}, {"columns": "ab"}, {"rows": [[1, 2], [1]]}, {"rows": [3]}, {"more": 1}, {"types": []}],
)
def test_what_has_not_the_form_of_a_frame_is_none(change: Any) -> None:
    assert frame_in({"$table": {"columns": ["a", "b"], "rows": [[1, 2]], **change}}) is None
