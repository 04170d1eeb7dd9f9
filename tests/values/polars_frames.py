"""Values of polars."""

import datetime
import decimal
import math

import polars as pl

from tests.values.case import Case, table

NANOSECONDS = "Nanoseconds were cut to microseconds."
DAY = datetime.date(2026, 1, 2)


def nanoseconds(dtype: pl.DataType) -> pl.Series:
    return pl.Series("t", [1001, None]).cast(dtype)


CASES = {
    "frame": Case(lambda: pl.DataFrame({"b": [1, None], "a": ["x", "y"]}), table("ba", [1, "x"], [None, "y"])),
    "lazy frame": Case(lambda: pl.LazyFrame({"a": [1, 2]}).filter(pl.col("a") > 1), table("a", [2])),
    "series": Case(lambda: pl.Series("s", [1.5, math.nan, None]), table("s", [1.5], [None], [None])),
    "unnamed series": Case(lambda: pl.Series([1]), table(["value"], [1])),
    "empty": Case(lambda: [pl.DataFrame(), pl.DataFrame({"a": []})], [table(""), table("a")]),
    "categories": Case(
        lambda: pl.DataFrame(
            {"c": pl.Series(["a"], dtype=pl.Categorical), "e": pl.Series(["b"], dtype=pl.Enum(["b"]))}
        ),
        table("ce", ["a", "b"]),
    ),
    "nested": Case(
        lambda: pl.DataFrame(
            {"l": [[1, None]], "s": [{"x": [DAY], "y": None}], "a": pl.Series([[1, 2]], dtype=pl.Array(pl.Int8, 2))}
        ),
        table("lsa", [[1, None], {"x": ["2026-01-02"], "y": None}, [1, 2]]),
        shown=["x: 2026-01-02, y: nothing"],
    ),
    "decimals": Case(lambda: pl.Series("d", [decimal.Decimal("1.50")]), table("d", ["1.50"])),
    "times": Case(
        lambda: pl.DataFrame(
            {
                "d": [DAY],
                "t": [datetime.time(1, 2)],
                "u": [datetime.timedelta(hours=1)],
                "m": [datetime.datetime(2026, 1, 2)],
            }
        ),
        table("dtum", ["2026-01-02", "01:02:00", "PT1H", "2026-01-02T00:00:00"]),
    ),
    "zones": Case(
        lambda: pl.Series("m", [datetime.datetime(2026, 7, 1)]).dt.replace_time_zone("Europe/Berlin"),
        table("m", ["2026-07-01T00:00:00+02:00"]),
    ),
    "nanoseconds": Case(
        lambda: nanoseconds(pl.Datetime("ns")), table("t", ["1970-01-01T00:00:00.000001"], [None]), [NANOSECONDS]
    ),
    "durations of nanoseconds": Case(
        lambda: nanoseconds(pl.Duration("ns")), table("t", ["PT0.000001S"], [None]), [NANOSECONDS]
    ),
    "times of nanoseconds": Case(
        lambda: nanoseconds(pl.Time()), table("t", ["00:00:00.000001"], [None]), [NANOSECONDS]
    ),
    "whole microseconds": Case(
        lambda: pl.Series("t", [1000]).cast(pl.Datetime("ns")), table("t", ["1970-01-01T00:00:00.000001"])
    ),
    "nanoseconds within": Case(
        lambda: pl.DataFrame({"s": [{"x": [1001]}]}, schema={"s": pl.Struct({"x": pl.List(pl.Duration("ns"))})}),
        table("s", [{"x": ["PT0.000001S"]}]),
        [NANOSECONDS],
    ),
    "binary": Case(lambda: pl.Series("b", [b"text", b"\xff"]), table("b", ["text"], ["ff"]), ["rows[1].b: bytes"]),
    "objects": Case(
        lambda: pl.Series("o", [{1, 2}, object()], dtype=pl.Object),
        table("o", [[1, 2]], [None]),
        ["rows[1].o: left out."],
    ),
    "types": Case(
        lambda: [pl.Int64, pl.List(pl.String), pl.DataFrame({"a": [1]}).schema],
        ["Int64", "List(String)", {"a": "Int64"}],
    ),
    "large numbers": Case(lambda: pl.Series("n", [2**100], dtype=pl.Int128), table("n", [2**100])),
    "nothing": Case(lambda: pl.Series("n", [None, None]), table("n", [None], [None])),
    "groups": Case(lambda: list(pl.DataFrame({"k": ["a"], "n": [1]}).group_by("k")), [[["a"], table("kn", ["a", 1])]]),
}
