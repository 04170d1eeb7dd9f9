"""Parameters of several values, and choices."""

from collections import OrderedDict

from tests.signatures.case import Case, sent

DAY = "datetime.date(2026, 1, 31)"
STRICT = {
    "it.day": "2026-01-31",
    "it.at": "2026-01-31T12:30",
    "it.clock": "12:30",
    "it.length": "1 h",
    "it.price": "1.10",
    "it.colour": "red",
    "it.id": "01234567-89ab-4def-8123-456789abcdef",
    "it.few": "0",
    "it.few.0": "3",
    "it.pair.0": "4",
    "it.pair.1": "x",
}
STRICT_SAID = (
    f"Strict(day={DAY}, at=datetime.datetime(2026, 1, 31, 12, 30, tzinfo=TzInfo(0)), clock=datetime.time(12, 30), "
    "length=datetime.timedelta(seconds=3600), price=Decimal('1.10'), colour=<Colour.RED: 'red'>, "
    "id=UUID('01234567-89ab-4def-8123-456789abcdef'), few={3}, pair=(4, 'x'))"
)


def row(takes: str, text: str, gets: str) -> Case:
    return Case(f"it: {takes}", gets, {"it": "0", "it.0": text})


def pair(takes: str, key: str, value: str, gets: str) -> Case:
    return Case(f"it: {takes}", gets, {"it": "0", "it.0.key": key, "it.0.value": value})


CASES: dict[str, Case] = {
    "Enum": sent("Colour", "blue", "<Colour.BLUE: 'blue'>"),
    "Enum, strict": sent("Annotated[Colour, StrictField()]", "blue", "<Colour.BLUE: 'blue'>"),
    "Enum, of integers": sent("Level", "2", "<Level.HIGH: 2>"),
    "Enum, of texts": sent("Word", "no", "<Word.NO: 'no'>"),
    "Enum, of floats": sent("Ratio", "0.5", "<Ratio.HALF: 0.5>"),
    "Enum, two names of a value": sent("Twice", "1", "<Twice.SMALL: 1>"),
    "Enum, of several types": sent("Kinds", "two", "<Kinds.TWO: 'two'>"),
    "Enum, None for nothing": sent("Colour | None", "", "None"),
    "Enum, several": Case("it: set[Colour]", "{<Colour.BLUE: 'blue'>}", {"it": ["blue"]}),
    "Enum, several in a list": Case(
        "it: list[Colour]", "[<Colour.RED: 'red'>, <Colour.BLUE: 'blue'>]", {"it": ["blue", "red"]}
    ),
    "Literal": sent('Literal["a", "b"]', "b", "'b'"),
    "Literal, of one": sent('Literal["a"]', "a", "'a'"),
    "Literal, of several types": sent('Literal["a", 1, True]', "True", "True"),
    "Literal, with None": sent('Literal[None, "a"]', "", "None"),
    "Literal, of integers": Case("it: set[Literal[1, 2]]", "{2}", {"it": ["2"]}),
    "Literal, many": sent("Literal[tuple(str(n) for n in range(30))]", "17", "'17'"),
    "list": row("list[int]", "3", "[3]"),
    "list, empty": Case("it: list[int]", "[]"),
    "list, strict": row("Annotated[list[date], StrictField()]", "2026-01-31", f"[{DAY}]"),
    "list, of at least two": Case("it: conlist(int, min_length=2)", "[3, 4]", {"it.0": "3", "it.1": "4"}),
    "list, of at most none": Case("it: Annotated[list[int], Field(max_length=0)]", "[]"),
    "list, of lists": Case("it: list[list[int]]", "[[3]]", {"it": "0", "it.0": "0", "it.0.0": "3"}),
    "list, of None or numbers": row("list[int | None]", "", "[None]"),
    "list, without what is wrong": row("list[OnErrorOmit[int]]", "3", "[3]"),
    "list, None for nothing": Case("it: list[int] | None", "None"),
    "list, a named alias": row("Ids", "3", "[3]"),
    "list, a root model": row("Numbers", "3", "Numbers(root=[3])"),
    "Sequence": row("Sequence[int]", "3", "[3]"),
    "MutableSequence": row("MutableSequence[int]", "3", "[3]"),
    "deque": row("deque[int]", "3", "deque([3])"),
    "Set": row("Set[int]", "3", "frozenset({3})"),
    "set": row("set[date]", "2026-01-31", f"{{{DAY}}}"),
    "set, strict": row("Annotated[set[int], StrictField()]", "3", "{3}"),
    "set, of at least two": Case(
        "it: Annotated[frozenset[int], Field(min_length=2)]", "frozenset({3, 4})", {"it.0": "3", "it.1": "4"}
    ),
    "frozenset": row("frozenset[str]", "a", "frozenset({'a'})"),
    "frozenset, of models": Case("it: frozenset[Frozen]", "frozenset({Frozen(side=3)})", {"it": "0", "it.0.side": "3"}),
    "tuple": Case("it: tuple[int, str]", "(3, 'a')", {"it.0": "3", "it.1": "a"}),
    "tuple, strict": Case(
        "it: Annotated[tuple[date, str], StrictField()]", f"({DAY}, 'a')", {"it.0": "2026-01-31", "it.1": "a"}
    ),
    "tuple, of any length": row("tuple[int, ...]", "3", "(3,)"),
    "tuple, None for nothing": Case("it: tuple[int, int] | None", "None"),
    "named tuple": Case("it: Spoken", "Spoken(x=3, y='a')", {"it.0": "3", "it.1": "a"}),
    "dict": pair("dict[str, int]", "a", "3", "{'a': 3}"),
    "dict, of integers": pair("dict[int, str]", "3", "a", "{3: 'a'}"),
    "dict, of dates": pair("dict[date, int]", "2026-01-31", "3", f"{{{DAY}: 3}}"),
    "dict, of choices": pair("dict[Colour, int]", "red", "3", "{<Colour.RED: 'red'>: 3}"),
    "dict, strict": pair("Annotated[dict[str, Decimal], StrictField()]", "a", "1.10", "{'a': Decimal('1.10')}"),
    "Mapping": pair("Mapping[str, float]", "a", "3", "{'a': 3.0}"),
    "defaultdict": pair("defaultdict[str, int]", "a", "3", "defaultdict(<class 'int'>, {'a': 3})"),
    "Counter": pair("Counter[str]", "a", "3", "Counter({'a': 3})"),
    "OrderedDict": pair("OrderedDict[str, int]", "a", "3", repr(OrderedDict(a=3))),
    "model": Case("it: Inner", "Inner(number=1.5)", {"it.number": "1.5"}),
    "model, strict": Case("it: Strict", STRICT_SAID, STRICT),
    "model, in a model": Case("it: Nested", "Nested(inner=Inner(number=1.5))", {"it.inner.number": "1.5"}),
    "model, derived": Case("it: Derived", "Derived(first=3, second='x')", {"it.first": "3"}),
    "model, generic": Case("it: Box[date]", f"Box[date](content={DAY})", {"it.content": "2026-01-31"}),
    "model, computed": Case("it: Computed", "Computed(side=3, area=9)", {"it.side": "3"}),
    "model, private": Case("it: Private", "Private(side=3)", {"it.side": "3"}),
    "model, frozen": Case("it: Frozen", "Frozen(side=3)", {"it.side": "3"}),
    "model, open": Case("it: Open", "Open(side=3)", {"it.side": "3"}),
    "model, with a constant": Case("it: Constant", "Constant(side=4)"),
    "model, validated as a whole": Case(
        "it: Period", f"Period(first={DAY}, last={DAY})", {"it.first": "2026-01-31", "it.last": "2026-01-31"}
    ),
    "model, trimmed": Case("it: Trimmed", "Trimmed(text='a')", {"it.text": " a "}),
    "model, with made defaults": Case("it: Made", "Made(words=['a', 'b'], number=7)"),
    "model, None for nothing": Case("it: Inner | None", "None"),
    "dataclass": Case("it: Point", "Point(x=3, y='a')", {"it.x": "3"}),
    "dataclass, with a made default": Case("it: Listed", "Listed(words=['a'])"),
    "dataclass, slotted": Case("it: Slotted", "Slotted(x=3)", {"it.x": "3"}),
    "typed dictionary, whole": Case(
        "it: Dish",
        "{'name': 'a', 'price': 3, 'tags': ['b'], 'vegan': True}",
        {"it.name": "a", "it.price": "3", "it.tags": "0", "it.tags.0": "b", "it.vegan": "true"},
    ),
    "typed dictionary, without what is not required": Case("it: Dish", "{'name': 'a'}", {"it.name": "a"}),
    "typed dictionary, not total": Case("it: Partial", "{'name': 'a'}", {"it.name": "a"}),
    "union with a discriminator": Case(
        "it: Shape",
        "Square(kind='square', side=3)",
        {"it": "square", "it._shown": "square", "it.side": "3"},
    ),
    "two parameters, one after the other": Case("first: int, it: Last", "4", {"first": "3", "it": "4"}),
}
