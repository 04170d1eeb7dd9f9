"""Values of NumPy."""

import datetime
import math
from typing import Any

import numpy as np

from tests.values.case import Case, table

NANOSECONDS = "anoseconds were cut to microseconds."
DAY = datetime.date(2026, 1, 2)


def structured() -> Any:
    return np.array(
        [(1, b"ab", [1.0, math.nan], "2026-01-02T00:00:00.000000001")],
        dtype=[("n", "i4"), ("code", "S2"), ("at", "f4", 2), ("day", "M8[ns]")],
    )


CASES = {
    "scalars": Case(
        lambda: [np.int8(-1), np.uint64(2**64 - 1), np.float32(0.5), np.float16(2), np.bool_(False), np.str_("a")],
        [-1, 2**64 - 1, 0.5, 2.0, False, "a"],
    ),
    "a scalar": Case(lambda: np.float64(0.5), 0.5),
    "bytes": Case(lambda: [np.bytes_(b"ab"), np.void(b"\xff")], ["ab", "ff"], ["[1]: bytes that are not text"]),
    "array": Case(lambda: np.arange(4).reshape(2, 2), [[0, 1], [2, 3]]),
    "empty arrays": Case(lambda: [np.array([]), np.empty((2, 0)), np.empty((0, 2), "M8[ns]")], [[], [[], []], []]),
    "an array without dimensions": Case(
        lambda: {"n": np.array(3), "at": np.array(DAY, "M8[D]")}, {"n": 3, "at": "2026-01-02"}
    ),
    "gaps": Case(lambda: np.array([1.5, math.nan, math.inf]), [1.5, "NaN", "Infinity"]),
    "nanoseconds": Case(
        lambda: np.array(["2026-01-02T03:04:05.123456789", "NaT"], "M8[ns]"),
        ["2026-01-02T03:04:05.123456", None],
        [f"N{NANOSECONDS}"],
        ["2026-01-02T03:04:05.123456"],
    ),
    "whole microseconds as nanoseconds": Case(
        lambda: np.array([["2026-01-02"], ["2026-01-03"]], "M8[ns]"), [["2026-01-02T00:00:00"], ["2026-01-03T00:00:00"]]
    ),
    "durations of nanoseconds": Case(
        lambda: {"took": np.array([1_500_000_000, 1], "m8[ns]")},
        {"took": ["PT1.5S", "PT0S"]},
        [f"took: n{NANOSECONDS}"],
    ),
    "durations": Case(
        lambda: [np.timedelta64(36, "h"), np.timedelta64("NaT"), np.timedelta64(3, "M"), np.timedelta64(2, "Y")],
        ["P1DT12H", None, "3 months", "2 years"],
    ),
    "dates of all precisions": Case(
        lambda: [np.datetime64(text) for text in ("2026", "2026-03", "2026-03-04", "2026-03-04T05", "NaT")],
        ["2026", "2026-03", "2026-03-04", "2026-03-04T05:00:00", None],
    ),
    "attoseconds": Case(lambda: np.array([10**13, 1], "m8[as]"), ["PT0.00001S", "PT0S"], [f"N{NANOSECONDS}"]),
    "years beyond 9999": Case(
        lambda: np.array(["12026-01-02", "2026-01-02"], "M8[D]"),
        ["12026-01-02", "2026-01-02"],
    ),
    "a moment beyond 9999": Case(lambda: np.array(["12026-01-02"], "M8[us]"), ["12026-01-02T00:00:00.000000"]),
    "extended floats": Case(
        lambda: np.array(["0.1", "0.5", "1e4000", "nan"], np.longdouble),
        [0.1, 0.5, "1e+4000", "NaN"],
        ["Numbers were rounded to 64 bits."],
    ),
    "an extended float": Case(lambda: {"pi": np.longdouble("0.25")}, {"pi": 0.25}),
    "complex numbers": Case(
        lambda: [np.complex64(1 + 2j), np.array([1j]), np.clongdouble(0.5 - 1j)], ["1+2j", ["1j"], "0.5-1j"]
    ),
    "structured": Case(
        structured,
        table(["n", "code", "at", "day"], [1, "ab", [1.0, "NaN"], "2026-01-02T00:00:00"]),
        [f"N{NANOSECONDS}"],
        ["code", "1.0, NaN"],
    ),
    "a structured scalar": Case(
        lambda: structured()[0],
        {"n": 1, "code": "ab", "at": [1.0, "NaN"], "day": "2026-01-02T00:00:00"},
        [f"N{NANOSECONDS}"],
    ),
    "structured in two dimensions": Case(lambda: np.zeros((1, 2), [("a", "i4")]), [table("a", [0], [0])]),
    "record array": Case(lambda: np.zeros(1, [("a", "i8"), ("b", "f8")]).view(np.recarray), table("ab", [0, 0.0])),
    "masked": Case(lambda: np.ma.array([[1, 2], [3, 4]], mask=[[False, True], [False, False]]), [[1, None], [3, 4]]),
    "masked dates": Case(
        lambda: np.ma.array(["2026-01-01", "2026-01-02"], "M8[ns]", mask=[True, False]), [None, "2026-01-02T00:00:00"]
    ),
    "the masked constant": Case(lambda: [np.ma.masked, 1], [None, 1]),
    "objects": Case(
        lambda: np.array([1, "a", None, {"b": (1,)}, object()], dtype=object),
        [1, "a", None, {"b": [1]}, None],
        ["[4]: left out."],
    ),
    "texts": Case(lambda: [np.array(["a", "bc"]), np.array(["é"], np.dtypes.StringDType())], [["a", "bc"], ["é"]]),
    "dtypes": Case(
        lambda: {"int": np.dtype("int64"), "pair": np.dtype("i4,f8")},
        {"int": "int64", "pair": "[('f0', '<i4'), ('f1', '<f8')]"},
    ),
    "keys": Case(lambda: {np.int64(1): "a", np.datetime64("2026-01-02"): "b"}, {"1": "a", "2026-01-02": "b"}),
    "a memory view": Case(lambda: memoryview(b"abc"), "abc"),
}
