"""Values of Python's own types."""

import array
import collections
import dataclasses
import enum
import ipaddress
import itertools
import math
import re
import types
import uuid
import zoneinfo
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from pathlib import PurePosixPath
from typing import Any, NamedTuple, TypedDict

from tests.values.case import Case

NO_FORM = "left out. It cannot be stored as JSON: a value of type"
BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")


class Colour(enum.Enum):
    RED = "red"
    PAIR = (1, 2)
    THING = object()


class Level(enum.IntEnum):
    HIGH = 3


class Rights(enum.Flag):
    READ = 1
    WRITE = 2


class Point(NamedTuple):
    x: int
    y: float


class Dish(TypedDict):
    name: str
    price: Decimal


@dataclasses.dataclass
class Node:
    name: str
    parts: list["Node"] = dataclasses.field(default_factory=list)
    parent: Any = None


class Odd(dict[str, int]):
    pass


class Broken:
    def __index__(self) -> int:
        raise RuntimeError("no number")


def family() -> Node:
    root = Node("root", [Node("leaf")])
    root.parts[0].parent = root
    return root


def endless_list() -> list[Any]:
    endless: list[Any] = [1]
    endless.append(endless)
    return endless


def endless_dict() -> dict[str, Any]:
    endless: dict[str, Any] = {"a": 1}
    endless["self"] = [endless]
    return endless


def nested(levels: int, value: Any) -> Any:
    for _ in range(levels):
        value = [value]
    return value


def same_twice() -> Any:
    part = {"a": 1}
    return [part, part]


def squares() -> Iterator[int]:
    return (number * number for number in range(3))


CASES = {
    "range": Case(lambda: range(3), [0, 1, 2]),
    "range backwards": Case(lambda: {"left": range(5, 0, -2)}, {"left": [5, 3, 1]}),
    "keys": Case(lambda: {"b": 1, "a": 2}.keys(), ["b", "a"]),
    "values": Case(lambda: {"b": 1, "a": None}.values(), [1, None]),
    "items": Case(lambda: {"b": 1, "a": 2}.items(), [["b", 1], ["a", 2]]),
    "array": Case(lambda: array.array("d", [1.5, math.inf]), [1.5, "Infinity"]),
    "deque": Case(lambda: collections.deque([1, "a"], maxlen=2), [1, "a"]),
    "mappingproxy": Case(lambda: types.MappingProxyType({"a": {1}}), {"a": [1]}),
    "ChainMap": Case(lambda: collections.ChainMap({"a": 1}, {"a": 2, "b": 3}), {"a": 1, "b": 3}),
    "OrderedDict": Case(lambda: collections.OrderedDict(b=1, a=2), {"b": 1, "a": 2}),
    "Counter": Case(lambda: collections.Counter("hello"), {"h": 1, "e": 1, "l": 2, "o": 1}),
    "defaultdict": Case(lambda: collections.defaultdict(list, {"a": [1]}), {"a": [1]}),
    "UserDict": Case(lambda: collections.UserDict({"a": (1, 2)}), {"a": [1, 2]}),
    "UserList": Case(lambda: collections.UserList([1, 2]), [1, 2]),
    "a subclass of dict": Case(lambda: Odd(a=1), {"a": 1}),
    "named tuple": Case(lambda: Point(1, 0.5), {"x": 1, "y": 0.5}),
    "named tuples": Case(lambda: [Point(1, 0.5), Point(2, math.nan)], [{"x": 1, "y": 0.5}, {"x": 2, "y": "NaN"}]),
    "typed dict": Case(lambda: Dish(name="soup", price=Decimal("3.50")), {"name": "soup", "price": "3.50"}),
    "namespace": Case(lambda: types.SimpleNamespace(a=1, b=None), {"a": 1, "b": None}),
    "dataclass": Case(
        lambda: Node("a", [Node("b")]),
        {
            "name": "a",
            "parts": [{"name": "b", "parts": [], "parent": None}],
            "parent": None,
        },
    ),
    "keys that read alike": Case(
        lambda: {1: "number", "1": "text"},
        {"1": "number", "1 (2)": "text"},
        ["Keys that read alike were numbered: 1."],
        ["number", "text"],
    ),
    "keys that read alike and are numbered": Case(
        lambda: {"1": "a", 1: "b", "1 (2)": "c", 1.5: "d", "1.5": "e"},
        {"1": "a", "1 (3)": "b", "1 (2)": "c", "1.5": "d", "1.5 (2)": "e"},
        ["Keys that read alike were numbered: 1, 1.5."],
    ),
    "keys of all kinds": Case(
        lambda: {
            None: 0,
            False: 1,
            1.5: 2,
            (1, "b"): 3,
            date(2026, 1, 2): 4,
            Colour.RED: 5,
            b"k": 6,
            b"\xff": 7,
            Fraction(1, 2): 8,
            math.nan: 9,
            Decimal("1.0"): 10,
            uuid.UUID(int=1): 11,
            frozenset({1}): 12,
        },
        {
            "None": 0,
            "false": 1,
            "1.5": 2,
            "1, b": 3,
            "2026-01-02": 4,
            "red": 5,
            "k": 6,
            "ff": 7,
            "1/2": 8,
            "NaN": 9,
            "1.0": 10,
            "00000000-0000-0000-0000-000000000001": 11,
            "frozenset({1})": 12,
        },
        ["Bytes that are not text are shown in hexadecimal."],
    ),
    "a key that is half a character": Case(lambda: {"\ud800": 1}, {"\\ud800": 1}, ["['\\ud800']: characters"]),
    "a long key": Case(lambda: {"k" * 5000: 1, "a": 2}, {"k" * 5000: 1, "a": 2}, shown=["…"]),
    "Decimal": Case(lambda: Decimal("1.10"), "1.10"),
    "Decimals": Case(lambda: [Decimal("NaN"), Decimal("-Infinity"), Decimal("1E+3")], ["NaN", "-Infinity", "1E+3"]),
    "Fraction": Case(lambda: {"third": Fraction(1, 3)}, {"third": "1/3"}),
    "complex": Case(lambda: [1 + 2j, complex(0, -1)], ["1+2j", "-1j"]),
    "nan and infinity": Case(lambda: [math.nan, math.inf, -math.inf, -0.0], ["NaN", "Infinity", "-Infinity", -0.0]),
    "UUID": Case(lambda: uuid.UUID(int=7), "00000000-0000-0000-0000-000000000007"),
    "addresses": Case(
        lambda: [ipaddress.ip_address("::1"), ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_interface("10.0.0.1/8")],
        ["::1", "10.0.0.0/8", "10.0.0.1/8"],
    ),
    "enum": Case(lambda: [Colour.RED, Colour.PAIR, Colour.THING], ["red", [1, 2], "THING"]),
    "numbers of enums": Case(lambda: [Level.HIGH, Rights.READ | Rights.WRITE], [3, 3]),
    "sets": Case(
        lambda: {"a": {3, 1, 2}, "b": frozenset("ba"), "c": set()}, {"a": [1, 2, 3], "b": ["a", "b"], "c": []}
    ),
    "a set of what cannot be ordered": Case(lambda: {(1,), 2} - {2}, [[1]]),
    "moments": Case(
        lambda: [datetime(2026, 1, 2, 3, 4, 5, 6), datetime(2026, 1, 2, tzinfo=UTC), date(1, 1, 1), time(1, 2)],
        ["2026-01-02T03:04:05.000006", "2026-01-02T00:00:00Z", "0001-01-01", "01:02:00"],
    ),
    "moments in zones": Case(
        lambda: [
            datetime(2026, 7, 1, tzinfo=BERLIN),
            datetime(1890, 1, 1, tzinfo=BERLIN),
            datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=-3))),
        ],
        ["2026-07-01T00:00:00+02:00", "1890-01-01T00:00:00+00:53:28", "2026-01-01T00:00:00-03:00"],
    ),
    "durations": Case(
        lambda: [timedelta(hours=1), timedelta(days=400, seconds=1), -timedelta(days=400), timedelta(days=3)],
        ["PT1H", "P400DT1S", "-P400D", "P3D"],
    ),
    "zones": Case(lambda: [UTC, BERLIN], ["UTC", "Europe/Berlin"]),
    "generator within": Case(lambda: {"squares": squares()}, {"squares": [0, 1, 4]}),
    "map": Case(lambda: map(str, [1, 2]), ["1", "2"]),
    "zip": Case(lambda: {"pairs": zip("ab", [1, 2], strict=True)}, {"pairs": [["a", 1], ["b", 2]]}),
    "groupby": Case(lambda: {k: list(g) for k, g in itertools.groupby("aab")}, {"a": ["a", "a"], "b": ["b"]}),
    "a number of 4,000 digits": Case(lambda: 10**4000 - 1, 10**4000 - 1),
    "a number of 5,000 digits": Case(
        lambda: {"n": [-(10**5000)]}, {"n": ["-1" + "0" * 5000]}, ["n[0]: a number of 5,001 digits is saved as text."]
    ),
    "half characters": Case(
        lambda: ["a\ud800b", "\udce9"],
        ["a\\ud800b", "\\udce9"],
        ["[0], [1]: characters that do not exist in Unicode were escaped."],
    ),
    "control characters": Case(lambda: "a\x00\x1bb\n", "a\x00\x1bb\n"),
    "a list in itself": Case(
        endless_list, [1, None], ["[1]: left out. It cannot be stored as JSON: it contains itself."]
    ),
    "a dict in itself": Case(
        endless_dict, {"a": 1, "self": [None]}, ["self[0]: left out. It cannot be stored as JSON: it contains itself."]
    ),
    "a model in itself": Case(
        family,
        {"name": "root", "parts": [{"name": "leaf", "parts": [], "parent": None}], "parent": None},
        ["parts[0].parent: left out."],
    ),
    "the same part twice": Case(same_twice, [{"a": 1}, {"a": 1}]),
    "a thousand levels": Case(
        lambda: {"deep": nested(1000, "bottom"), "flat": 1},
        {"deep": nested(200, None), "flat": 1},
        [f"deep{'[0]' * 50}"],
    ),
    "exception": Case(lambda: {"error": KeyError("soup"), "n": 1}, {"error": "KeyError: 'soup'", "n": 1}),
    "group of exceptions": Case(
        lambda: ExceptionGroup("two", [ValueError("a"), TypeError("b")]), "ExceptionGroup: two (2 sub-exceptions)"
    ),
    "types": Case(lambda: [int, Decimal, Node], ["int", "decimal.Decimal", "tests.values.standard.Node"]),
    "pattern": Case(lambda: re.compile("a+"), "a+"),
    "a path that is only words": Case(lambda: PurePosixPath("/etc/hosts"), "/etc/hosts"),
    "an object in a cell": Case(
        lambda: {"rows": [{"price": 1}, {"price": 2}, {"price": 3}, {"price": object()}]},
        {"rows": [{"price": 1}, {"price": 2}, {"price": 3}, {"price": None}]},
        [f"rows[3].price: {NO_FORM} object has no JSON form; return its parts, or a file."],
    ),
    "objects at many places": Case(
        lambda: [object() for _ in range(9)], [None] * 9, [f"[0], [1], [2] and 6 more: {NO_FORM} object"]
    ),
    "a function and a module": Case(
        lambda: {"f": len, "odd key": math, "n": 1},
        {"f": None, "odd key": None, "n": 1},
        [f"f: {NO_FORM} builtin_function_or_method", f"['odd key']: {NO_FORM} module"],
    ),
    "what breaks when it is read": Case(
        lambda: {"a": Broken(), "b": 1},
        {"a": None, "b": 1},
        [f"a: {NO_FORM} Broken cannot be read (RuntimeError: no number)."],
    ),
}
