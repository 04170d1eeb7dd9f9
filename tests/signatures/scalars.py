"""Parameters of one value."""

from tests.signatures.case import Case, sent

UUID4 = "01234567-89ab-4def-8123-456789abcdef"
MOMENT = "datetime.datetime(2026, 1, 31, 12, 30, tzinfo=datetime.timezone.utc)"
ZONED = "datetime.datetime(2026, 1, 31, 12, 30, tzinfo=TzInfo(0))"

CASES: dict[str, Case] = {
    "int": sent("int", "3", "3"),
    "int, negative": sent("int", "-3", "-3"),
    "int, as a float": sent("int", "3.0", "3"),
    "int, large": sent("Annotated[int, Field(ge=0, le=10**30)]", "9" * 30, "9" * 30),
    "int, strict": sent("StrictInt", "3", "3"),
    "int, positive": sent("PositiveInt", "3", "3"),
    "int, negative only": sent("NegativeInt", "-3", "-3"),
    "int, limits that are nested": sent("Annotated[Annotated[int, Field(ge=1)], Field(le=5)]", "5", "5"),
    "int, conint": sent("conint(ge=1, le=5)", "5", "5"),
    "int, a new type": sent("Id", "3", "3"),
    "int, named limits": sent("Percent", "100", "100"),
    "int, one value is right": sent("Annotated[int, AfterValidator(only_seven)]", "7", "7"),
    "int, an example is right": sent("Annotated[int, AfterValidator(only_seven), Field(examples=[7])]", "7", "7"),
    "int, before": sent("Annotated[int, BeforeValidator(lambda value: value)]", "3", "3"),
    "int, around": sent("Annotated[int, WrapValidator(lambda value, handler: handler(value))]", "3", "3"),
    "int, another schema": sent('Annotated[int, WithJsonSchema({"type": "string"})]', "3", "3"),
    "int, serialized as it is": sent("Same", "3", "3"),
    "int, a text annotation": sent("'int'", "3", "3"),
    "int, final": sent("Final[int]", "3", "3"),
    "int, as a text of its own in the future": Case(
        "it: Percent", "3", {"it": "3"}, first="from __future__ import annotations\n"
    ),
    "int, None for nothing": sent("int | None", "", "None"),
    "int, optional": sent("Optional[int]", "3", "3"),
    "float": sent("float", "1.5", "1.5"),
    "float, large": sent("float", "1e300", "1e+300"),
    "float, small": sent("float", "1e-300", "1e-300"),
    "float, strict": sent("StrictFloat", "2", "2.0"),
    "float, finite": sent("FiniteFloat", "1.5", "1.5"),
    "float, between two": sent("Annotated[float, Field(gt=0, lt=0.001)]", "0.0005", "0.0005"),
    "float, in steps": sent("Annotated[float, Field(ge=1, multiple_of=0.25)]", "1.25", "1.25"),
    "Decimal": sent("Decimal", "1.10", "Decimal('1.10')"),
    "Decimal, strict": sent("Annotated[Decimal, StrictField()]", "1.10", "Decimal('1.10')"),
    "Decimal, of digits": sent(
        "Annotated[Decimal, Field(max_digits=4, decimal_places=2)]", "12.34", "Decimal('12.34')"
    ),
    "Decimal, infinity allowed": sent("Annotated[Decimal, Field(allow_inf_nan=True)]", "1.5", "Decimal('1.5')"),
    "bool": Case("it: bool", "True", {"it": "true"}),
    "bool, strict": Case("it: StrictBool", "True", {"it": "true"}),
    "bool, that must be checked": Case("it: Annotated[bool, Field(ge=1)]", "True", {"it": "true"}),
    "bool, unchecked": Case("it: bool", "False"),
    "bool, None for nothing": sent("bool | None", "", "None"),
    "bool, false": sent("bool | None", "false", "False"),
    "str": sent("str", "ha ha", "'ha ha'"),
    "str, strict": sent("StrictStr", "ha", "'ha'"),
    "str, not ASCII": sent("str", "Größe 😀", "'Größe 😀'"),
    "str, markup": sent("str", "<b>&\"'", "'<b>&\"\\''"),
    "str, None for nothing": sent("str | None", "", "None"),
    "str, a pattern": sent('constr(pattern="^a+$")', "aa", "'aa'"),
    "str, of a length": sent("Annotated[str, Field(min_length=30, max_length=30)]", "x" * 30, f"'{'x' * 30}'"),
    "str, made lower": sent("Annotated[str, StringConstraints(strip_whitespace=True, to_lower=True)]", " A ", "'a'"),
    "long text": sent("LongText", "a\r\n\r\n b\n", "'a\\n\\n b\\n'"),
    "long text, first line empty": sent("LongText", "\n\na", "'\\n\\na'"),
    "secret": sent("SecretStr", "correct horse", "SecretStr('**********')"),
    "secret, long": sent("Annotated[SecretStr, Field(min_length=40)]", "x" * 40, "SecretStr('**********')"),
    "secret bytes": sent("SecretBytes", "correct horse", "SecretBytes(b'**********')"),
    "secret date": sent("Secret[date]", "2026-01-31", "Secret('**********')"),
    "secret, strict": sent("Secret[Annotated[Decimal, StrictField()]]", "1234", "Secret('**********')"),
    "date": sent("date", "2026-01-31", "datetime.date(2026, 1, 31)"),
    "date, strict": sent("Annotated[date, StrictField()]", "2026-01-31", "datetime.date(2026, 1, 31)"),
    "date, past": sent("PastDate", "2001-01-31", "datetime.date(2001, 1, 31)"),
    "date, future": sent("FutureDate", "2999-01-31", "datetime.date(2999, 1, 31)"),
    "date, after another": sent(
        "Annotated[date, Field(gt=date(2030, 1, 1), lt=date(2030, 1, 3))]", "2030-01-02", "datetime.date(2030, 1, 2)"
    ),
    "date, None for nothing": sent("date | None", "", "None"),
    "time": sent("time", "12:30", "datetime.time(12, 30)"),
    "time, strict": sent("Annotated[time, StrictField()]", "12:30:05", "datetime.time(12, 30, 5)"),
    "time, microseconds": sent("time", "12:30:05.123456", "datetime.time(12, 30, 5, 123456)"),
    "moment": sent("datetime", "2026-01-31T12:30", ZONED),
    "moment, strict": sent("Annotated[datetime, StrictField()]", "2026-01-31T12:30", ZONED),
    "moment, aware": sent("AwareDatetime", "2026-01-31T12:30", ZONED),
    "moment, past": sent("PastDatetime", "2001-01-31T12:30", ZONED.replace("2026", "2001")),
    "moment, future": sent("FutureDatetime", "2999-01-31T12:30", ZONED.replace("2026", "2999")),
    "moment, limited": sent(
        "Annotated[datetime, Field(ge=datetime(2030, 1, 1, tzinfo=UTC), lt=datetime(2030, 1, 2, tzinfo=UTC))]",
        "2030-01-01T12:30",
        "datetime.datetime(2030, 1, 1, 12, 30, tzinfo=TzInfo(0))",
    ),
    "moment, in a zone": sent(
        "datetime", "2026-07-01T12:30", "datetime.datetime(2026, 7, 1, 10, 30, tzinfo=TzInfo(0))", _zone="Europe/Berlin"
    ),
    "moment, microseconds": sent(
        "datetime", "2026-01-31T12:30:00.123456", ZONED.replace("30, tz", "30, 0, 123456, tz")
    ),
    "wall clock": sent("NaiveDatetime", "2026-01-31T12:30", "datetime.datetime(2026, 1, 31, 12, 30)"),
    "wall clock, microseconds": sent(
        "NaiveDatetime", "2026-01-31T12:30:01.000001", "datetime.datetime(2026, 1, 31, 12, 30, 1, 1)"
    ),
    "duration": sent("timedelta", "1 h 30 min", "datetime.timedelta(seconds=5400)"),
    "duration, strict": sent("Annotated[timedelta, StrictField()]", "1 d", "datetime.timedelta(days=1)"),
    "duration, microseconds": sent("timedelta", "0.000001 s", "datetime.timedelta(microseconds=1)"),
    "duration, negative": sent("timedelta", "-1:00:00", "datetime.timedelta(days=-1, seconds=82800)"),
    "duration, limited": sent(
        "Annotated[timedelta, Field(gt=timedelta(400))]", "401 d", "datetime.timedelta(days=401)"
    ),
    "UUID": sent("UUID", UUID4, f"UUID('{UUID4}')"),
    "UUID, strict": sent("Annotated[UUID, StrictField()]", UUID4, f"UUID('{UUID4}')"),
    "UUID, version 4": sent("UUID4", UUID4, f"UUID('{UUID4}')"),
    "UUID, version 1": sent("UUID1", UUID4.replace("4def", "1def"), f"UUID('{UUID4.replace('4def', '1def')}')"),
    "UUID, version 7": sent("UUID7", UUID4.replace("4def", "7def"), f"UUID('{UUID4.replace('4def', '7def')}')"),
    "e-mail": sent("EmailStr", "ada@example.com", "'ada@example.com'"),
    "web address": sent("HttpUrl", "https://example.com", "HttpUrl('https://example.com/')"),
    "any address": sent("AnyUrl", "x://y", "AnyUrl('x://y')"),
    "file address": sent("FileUrl", "file:///tmp/x", "FileUrl('file:///tmp/x')"),
    "socket address": sent("WebsocketUrl", "wss://example.com", "WebsocketUrl('wss://example.com/')"),
    "Redis address": sent("RedisDsn", "redis://localhost:6379/0", "RedisDsn('redis://localhost:6379/0')"),
}
