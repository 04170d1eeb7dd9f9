"""Values of pandas."""

import datetime
import decimal
import math

import numpy as np
import pandas as pd

from tests.values.case import Case, table

NANOSECONDS = "nanoseconds were cut to microseconds."
EQUAL_NAMES = "Columns with equal names were numbered"
SALES = pd.DataFrame({"dish": ["soup", "cake", "soup"], "price": [3, 5, 4]})


def years() -> pd.DataFrame:
    return pd.DataFrame({"sold": [5, 7]}, index=[2025, 2026])


def mixed() -> pd.Series:
    parts = [1, "a", None, pd.NaT, pd.NA, math.nan, datetime.date(2026, 1, 2), [1, math.nan], {"x": (1,)}, b"\xff"]
    return pd.Series(
        [*parts, decimal.Decimal("1.10"), pd.Timestamp("2026-01-02"), object()], name="mixed", dtype=object
    )


MIXED = [
    1,
    "a",
    None,
    None,
    None,
    None,
    "2026-01-02",
    [1, "NaN"],
    {"x": [1]},
    "ff",
    "1.10",
    "2026-01-02T00:00:00",
    None,
]

CASES = {
    "a plain index": Case(
        lambda: SALES, table(["dish", "price"], ["soup", 3], ["cake", 5], ["soup", 4]), shown=["3 rows"]
    ),
    "cut": Case(
        lambda: pd.cut(pd.Series([1, 5, 9]), [0, 2, 6]), table(["value"], ["(0.0, 2.0]"], ["(2.0, 6.0]"], [None])
    ),
    "cut into categories": Case(lambda: pd.cut([1, 5], [0, 2, 6]), ["(0, 2]", "(2, 6]"]),
    "qcut": Case(
        lambda: pd.qcut(pd.Series([1, 2, 3, 4], name="q"), 2),
        table("q", *[["(0.999, 2.5]"]] * 2, *[["(2.5, 4.0]"]] * 2),
    ),
    "counts of intervals": Case(
        lambda: pd.cut(pd.Series([1, 5]), [0, 2, 6]).value_counts(sort=False),
        table(["index", "count"], ["(0, 2]", 1], ["(2, 6]", 1]),
    ),
    "cut with labels": Case(
        lambda: pd.cut(pd.Series([1, 5]), [0, 2, 6], labels=["low", "high"]), table(["value"], ["low"], ["high"])
    ),
    "interval": Case(lambda: {"bin": pd.Interval(0, 1, closed="left")}, {"bin": "[0, 1)"}),
    "interval index": Case(lambda: pd.interval_range(0, 2), table(["index"], ["(0, 1]"], ["(1, 2]"])),
    "periods": Case(
        lambda: pd.Series([1, 2], pd.period_range("2026-01", periods=2, freq="M")),
        table(["index", "value"], ["2026-01", 1], ["2026-02", 2]),
    ),
    "period": Case(lambda: pd.Period("2026Q1"), "2026Q1"),
    "dtypes": Case(
        lambda: SALES.astype({"dish": "category"}).dtypes,
        table(["index", "value"], ["dish", "category"], ["price", "int64"]),
    ),
    "offset": Case(lambda: pd.offsets.MonthEnd(), "<MonthEnd>"),
    "a column of everything": Case(
        mixed,
        table(["mixed"], *([part] for part in MIXED)),
        ["rows[9].mixed: bytes", "rows[12].mixed: left out."],
        ["1, NaN"],
    ),
    "what is missing in records": Case(
        lambda: [{"at": pd.NaT, "n": pd.NA}, {"at": pd.Timestamp("2026-01-02"), "n": 1}],
        [{"at": None, "n": None}, {"at": "2026-01-02T00:00:00", "n": 1}],
    ),
    "what is missing in mappings": Case(
        lambda: {"at": pd.NaT, "n": [pd.NA]}, {"at": None, "n": [None]}, shown=["nothing"]
    ),
    "records": Case(
        lambda: pd.DataFrame({"at": pd.to_datetime(["2026-01-02", None])}).to_dict("records"),
        [{"at": "2026-01-02T00:00:00"}, {"at": None}],
    ),
    "missing alone": Case(lambda: pd.NaT, None),
    "nullable": Case(
        lambda: pd.DataFrame(
            {"i": pd.array([1, None], "Int64"), "b": pd.array([True, None], "boolean"), "s": ["a", None]}
        ),
        table("ibs", [1, True, "a"], [None, None, None]),
    ),
    "Timestamp": Case(
        lambda: {"at": pd.Timestamp("2026-01-02 03:04:05.123456789", tz="UTC")},
        {"at": "2026-01-02T03:04:05.123456Z"},
        [f"at: {NANOSECONDS}"],
    ),
    "Timestamp beyond 9999": Case(lambda: pd.Timestamp(np.datetime64("12026-01-02", "s")), "12026-01-02 00:00:00"),
    "Timedelta": Case(
        lambda: [pd.Timedelta("1h"), pd.Timedelta(1999, "ns")], ["PT1H", "PT0.000001S"], [f"[1]: {NANOSECONDS}"]
    ),
    "nanoseconds in a column": Case(
        lambda: pd.DataFrame(
            {"at": pd.to_datetime(["2026-01-02 00:00:00.000000001", "2026-01-02"], format="ISO8601"), "n": 1}
        ),
        table(["at", "n"], ["2026-01-02T00:00:00", 1], ["2026-01-02T00:00:00", 1]),
        [f"rows[0].at: {NANOSECONDS}"],
    ),
    "zones": Case(
        lambda: pd.Series(pd.to_datetime(["2026-07-01"]).tz_localize("Europe/Berlin"), name="at"),
        table(["at"], ["2026-07-01T00:00:00+02:00"]),
    ),
    "set_index, drop=False": Case(
        lambda: SALES.set_index("dish", drop=False), table(["dish", "price"], ["soup", 3], ["cake", 5], ["soup", 4])
    ),
    "an index that is named like another column": Case(
        lambda: pd.DataFrame({"id": [7, 8]}, index=pd.Index(["a", "b"], name="id")),
        table(["id", "id (2)"], ["a", 7], ["b", 8]),
        [f"{EQUAL_NAMES}: id."],
    ),
    "equal names": Case(
        lambda: pd.DataFrame([[1, 2, 3]], columns=["a", "b", "a"]),
        table(["a", "b", "a (2)"], [1, 2, 3]),
        [f"{EQUAL_NAMES}: a."],
        ["a (2)"],
    ),
    "equal names of different types": Case(
        lambda: pd.DataFrame([[1, 2]], columns=[1, "1"]), table(["1", "1 (2)"], [1, 2]), [f"{EQUAL_NAMES}: 1."]
    ),
    "years as index": Case(years, table(["index", "sold"], [2025, 5], [2026, 7]), shown=["2025", "2026"]),
    "years as a range": Case(
        lambda: pd.DataFrame({"sold": [5, 7]}, range(2025, 2027)), table(["index", "sold"], [2025, 5], [2026, 7])
    ),
    "steps as index": Case(lambda: pd.Series([5, 7], range(0, 20, 10)), table(["index", "value"], [0, 5], [10, 7])),
    "a named plain index": Case(lambda: pd.Series([5], pd.RangeIndex(1, name="n")), table(["n", "value"], [0, 5])),
    "floats as index": Case(lambda: pd.Series([5], [0.5], name="x"), table(["index", "x"], [0.5, 5])),
    "sorted rows": Case(
        lambda: SALES.sort_values("price", ignore_index=True),
        table(["dish", "price"], ["soup", 3], ["soup", 4], ["cake", 5]),
    ),
    "texts as index": Case(
        lambda: SALES.groupby("dish")["price"].sum(), table(["dish", "price"], ["cake", 5], ["soup", 7])
    ),
    "dates as index": Case(
        lambda: pd.Series([1.5], pd.DatetimeIndex(["2026-01-02"], name="day")),
        table(["day", "value"], ["2026-01-02T00:00:00", 1.5]),
    ),
    "an index of rows in levels": Case(
        lambda: pd.DataFrame({"n": [1]}, pd.MultiIndex.from_tuples([("a", 2026)], names=["shop", None])),
        table(["shop", "level_1", "n"], ["a", 2026, 1]),
    ),
    "levels that are columns too": Case(
        lambda: SALES.set_index(["dish", "price"], drop=False),
        table(["dish", "price"], ["soup", 3], ["cake", 5], ["soup", 4]),
    ),
    "columns in levels": Case(
        lambda: SALES.groupby("dish").agg(["min", "max"]),
        table(["dish", "price min", "price max"], ["cake", 5, 5], ["soup", 3, 4]),
    ),
    "columns that are dates": Case(
        lambda: pd.DataFrame([[1]], columns=pd.to_datetime(["2026-01-02"])), table(["2026-01-02T00:00:00"], [1])
    ),
    "columns with a name": Case(
        lambda: pd.crosstab(pd.Series(["a"], name="x"), pd.Series([2026], name="year")),
        table(["x", "2026"], ["a", 1]),
        ["The names of columns are values of year."],
    ),
    "Index": Case(lambda: pd.Index(["a", "b"], name="letter"), table(["letter"], ["a"], ["b"])),
    "date_range": Case(
        lambda: pd.date_range("2026-01-02", periods=2),
        table(["index"], ["2026-01-02T00:00:00"], ["2026-01-03T00:00:00"]),
    ),
    "timedelta_range": Case(lambda: pd.timedelta_range("1h", periods=1), table(["index"], ["PT1H"])),
    "MultiIndex": Case(
        lambda: pd.MultiIndex.from_product([["a"], [1, 2]]), table(["level_0", "level_1"], ["a", 1], ["a", 2])
    ),
    "bytes in cells": Case(
        lambda: pd.DataFrame({"b": [b"text", b"\xff\x00", b"\xff" * 100, None]}),
        table("b", ["text"], ["ff00"], ["100 bytes"], [None]),
        [
            "rows[1].b: bytes that are not text are shown in hexadecimal.",
            "rows[2].b: of bytes that are not text, only the number is saved.",
        ],
    ),
    "sparse": Case(lambda: pd.Series([0, 3], dtype="Sparse[int]"), table(["value"], [0], [3])),
    "Categorical": Case(lambda: pd.Categorical(["a", None]), ["a", None]),
    "styled": Case(
        lambda: years().style.highlight_max(),
        table(["index", "sold"], [2025, 5], [2026, 7]),
        ["The styles of the table were left out."],
    ),
    "groups": Case(
        lambda: SALES.groupby("dish"),
        {
            "cake": table(["index", "dish", "price"], [1, "cake", 5]),
            "soup": table(["index", "dish", "price"], [0, "soup", 3], [2, "soup", 4]),
        },
    ),
    "empty": Case(
        lambda: [pd.DataFrame(), pd.DataFrame({"a": []}), pd.Series([], dtype=float)],
        [table(""), table("a"), table(["value"])],
    ),
    "rows without columns": Case(lambda: pd.DataFrame(index=range(2)), table("", [], [])),
    "frames within frames": Case(
        lambda: pd.DataFrame({"name": ["a"], "rows": [years()]}),
        table(["name", "rows"], ["a", table(["index", "sold"], [2025, 5], [2026, 7])]),
        shown=["table of 2 rows"],
    ),
    "infinity": Case(lambda: pd.Series([math.inf, -math.inf], name="x"), table("x", ["Infinity"], ["-Infinity"])),
    "frozen": Case(lambda: {"types": SALES.dtypes.to_dict()}, {"types": {"dish": "str", "price": "int64"}}),
}
