"""Parameters with defaults, whose forms are sent as they are opened."""

from tests.signatures.case import Case

BERLIN = {"_zone": "Europe/Berlin"}
# The second half past two of that night, when clocks go back at three.
SECOND = "datetime(2026, 10, 25, 1, 30, tzinfo=UTC)"

CASES: dict[str, Case] = {
    "int": Case("it: int = 3", "3"),
    "int, in its annotation": Case("it: Annotated[int, Field(default=3)] = 3", "3"),
    "int, a Field": Case("it: int = Field(3, ge=1)", "3"),
    "int, made": Case("it: int = Field(default_factory=lambda: 3)", "3"),
    "int, made from others": Case("other: int = 4, it: int = Field(default_factory=lambda data: data['other'])", "4"),
    "int, made from others, but given": Case(
        "other: int = 4, it: int = Field(default_factory=lambda data: data['other'])", "5", {"it": "5"}
    ),
    "int, large": Case("it: int = 10**30", str(10**30)),
    "float": Case("it: float = 1e-7", "1e-07"),
    "float, a whole number": Case("it: float = 3", "3.0"),
    "Decimal": Case("it: Decimal = Decimal('1.10')", "Decimal('1.10')"),
    "bool": Case("it: bool = True", "True"),
    "bool, None": Case("it: bool | None = None", "None"),
    "str": Case("it: str = ' a '", "' a '"),
    "str, empty": Case("it: str = ''", "''"),
    "str, emptied": Case("it: str = 'a'", "''", {"it": ""}),
    "str, None": Case("it: str | None = None", "None"),
    "long text": Case(r"it: LongText = '\na\n\nb\n'", r"'\na\n\nb\n'"),
    "date": Case("it: date = date(2026, 1, 31)", "datetime.date(2026, 1, 31)"),
    "date, made": Case("it: date = Field(default_factory=lambda: date(2026, 1, 31))", "datetime.date(2026, 1, 31)"),
    "time": Case("it: time = time(9, 30)", "datetime.time(9, 30)"),
    "time, microseconds": Case("it: time = time(9, 0, 0, 123456)", "datetime.time(9, 0, 0, 123456)"),
    "time, in a zone": Case("it: time = time(9, tzinfo=UTC)", "datetime.time(9, 0, tzinfo=TzInfo(0))"),
    "time, in another zone": Case(
        "it: time = time(9, tzinfo=timezone(timedelta(hours=2)))", "datetime.time(9, 0, tzinfo=TzInfo(7200))"
    ),
    "moment": Case(
        "it: datetime = datetime(2026, 1, 31, 9, tzinfo=UTC)",
        "datetime.datetime(2026, 1, 31, 9, 0, tzinfo=TzInfo(0))",
    ),
    "moment, microseconds": Case(
        "it: datetime = datetime(2026, 1, 31, 9, 0, 0, 123456, tzinfo=UTC)",
        "datetime.datetime(2026, 1, 31, 9, 0, 0, 123456, tzinfo=TzInfo(0))",
    ),
    "moment, without a zone": Case("it: datetime = datetime(2026, 1, 31, 9)", "datetime.datetime(2026, 1, 31, 9, 0)"),
    "moment, in the second hour of a clock change": Case(
        f"it: datetime = {SECOND}",
        "datetime.datetime(2026, 10, 25, 1, 30, tzinfo=TzInfo(0))",
        {"it": "2026-10-25T02:30", **BERLIN},
    ),
    "moment, in the first hour of a clock change": Case(
        "it: datetime = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)",
        "datetime.datetime(2026, 10, 25, 0, 30, tzinfo=TzInfo(0))",
        {"it": "2026-10-25T02:30", **BERLIN},
    ),
    "moment, changed": Case(
        f"it: datetime = {SECOND}",
        "datetime.datetime(2026, 10, 25, 2, 30, tzinfo=TzInfo(0))",
        {"it": "2026-10-25T03:30", **BERLIN},
    ),
    "wall clock, microseconds": Case(
        "it: NaiveDatetime = datetime(2026, 1, 31, 9, 0, 0, 1)", "datetime.datetime(2026, 1, 31, 9, 0, 0, 1)"
    ),
    "duration": Case("it: timedelta = timedelta(1, 2, 3)", "datetime.timedelta(days=1, seconds=2, microseconds=3)"),
    "Enum": Case("it: Colour = Colour.BLUE", "<Colour.BLUE: 'blue'>"),
    "Enum, by another name": Case("it: Twice = Twice.LITTLE", "<Twice.SMALL: 1>"),
    "Enum, by its value": Case("it: Kinds = 'two'", "<Kinds.TWO: 'two'>"),
    "Literal": Case('it: Literal["a", "b"] = "b"', "'b'"),
    "list": Case("it: list[int] = [1, 2]", "[1, 2]"),
    "list, made": Case("it: list[int] = Field(default_factory=lambda: [1, 2])", "[1, 2]"),
    "list, made in its annotation": Case("it: Annotated[list[int], Field(default_factory=lambda: [1, 2])]", "[1, 2]"),
    "list, a tuple": Case("it: list[int] = ()", "[]"),
    "set": Case("it: set[int] = {3}", "{3}"),
    "tuple": Case("it: tuple[int, str] = (1, 'a')", "(1, 'a')"),
    "dict": Case("it: dict[str, int] = {'a': 3}", "{'a': 3}"),
    "model": Case("it: Inner = Inner(number=2)", "Inner(number=2.0)"),
    "model, as a dictionary": Case("it: Inner = {'number': 2}", "Inner(number=2.0)"),
    "model, None": Case("it: Inner | None = None", "None"),
    "dataclass": Case("it: Point = Point(3, 'b')", "Point(x=3, y='b')"),
    "union with a discriminator": Case(
        "it: Shape = Circle(kind='circle', radius=2)", "Circle(kind='circle', radius=2.0)"
    ),
    "files, none": Case("it: File | None = None", "None"),
    "list of files, none": Case("it: list[File] = []", "[]"),
}
