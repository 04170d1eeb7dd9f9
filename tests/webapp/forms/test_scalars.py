"""Fields of one value: what a text stands for, what is refused in which words, and what is shown again."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import pytest
from pydantic import UUID4, AwareDatetime, BaseModel, EmailStr, Field, FutureDate, HttpUrl, NaiveDatetime, StrictInt

from jobs import LongText, Show, task
from jobs.authoring.task import Task
from tests.support.gallery import scalars
from webapp import forms

TASK: Task = scalars.__dict__["__task__"]
GOOD = {
    "count": "3",
    "price": "1.50",
    "day": "2026-01-31",
    "at": "14:30",
    "starts": "2026-07-01T10:00",
    "length": "1 h 30 min",
    "email": "ada@example.com",
    "site": "https://example.com/a",
    "code": "AB-12",
    "key": "123e4567-e89b-12d3-a456-426614174000",
    "weight": "0.25",
    "shown": "2026-03-29T02:30:05",
    "ended": "2026-01-01T00:00",
    "note": "",
    "most": "",
    "until": "",
    "story": "",
    "_zone": "Europe/Berlin",
}


def of(annotation: Any) -> Task:
    """A task with one parameter, `it`."""

    def one(it: Any) -> None: ...

    one.__annotations__["it"] = annotation
    return task(one).__dict__["__task__"]  # type: ignore[no-any-return]  # it is what task() puts there


def read(annotation: Any, text: str, **more: str) -> tuple[Any, str]:
    """The value a text becomes, or nothing, and the error."""
    parameters, form = forms.read(of(annotation), {"it": text, **more})
    return getattr(parameters, "it", None), form.errors.get("it", "")


def attributes(annotation: Any) -> dict[str, Any]:
    return dict(forms.fields_of(of(annotation))[0].attributes)


def test_every_kind_becomes_its_value_and_survives_the_database() -> None:
    parameters, form = forms.read(TASK, GOOD)
    assert form.errors == {}
    assert isinstance(parameters, BaseModel)
    assert parameters.model_dump() | {"site": None} == {
        "count": 3,
        "price": Decimal("1.5"),
        "day": date(2026, 1, 31),
        "at": time(14, 30),
        "starts": datetime(2026, 7, 1, 8, tzinfo=UTC),
        "length": timedelta(minutes=90),
        "email": "ada@example.com",
        "site": None,
        "code": "AB-12",
        "key": UUID("123e4567-e89b-12d3-a456-426614174000"),
        "weight": 0.25,
        "shown": datetime(2026, 3, 29, 2, 30, 5),  # it has no zone
        "ended": datetime(2025, 12, 31, 23, tzinfo=UTC),
        "note": None,
        "most": None,
        "until": None,
        "story": "",
        "gift": False,
    }
    kept = parameters.model_dump(mode="json")
    assert TASK.parameters.model_validate(kept) == parameters
    again = forms.blank(TASK, kept)
    assert {**again.values, "starts": None, "ended": None} == {
        **GOOD_AGAIN,
        "price": "1.50",
        "starts": None,
        "ended": None,
        "gift": False,
    }
    assert (again.values["starts"], again.values["ended"], again.zone) == (
        "2026-07-01T08:00",
        "2025-12-31T23:00",
        "UTC",
    )


GOOD_AGAIN = {name: text for name, text in GOOD.items() if name != "_zone"}


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("1 h 30 min", timedelta(hours=1.5)),
        ("1.5h", timedelta(hours=1.5)),
        ("90 minutes", timedelta(hours=1.5)),
        ("1:30:00", timedelta(hours=1.5)),
        ("100:00:00.5", timedelta(hours=100, milliseconds=500)),
        ("2 weeks, 1 day", timedelta(days=15)),
        ("250 ms", timedelta(milliseconds=250)),
        ("5m 3s", timedelta(seconds=303)),
        (" -1 d ", timedelta(days=-1)),
        ("0 s", timedelta()),
    ],
)
def test_a_length_of_time_is_written_as_people_write_it(text: str, length: timedelta) -> None:
    assert read(timedelta, text) == (length, "")
    (bound,) = forms.blank(
        of(timedelta), {"it": of(timedelta).parameters(it=length).model_dump(mode="json")["it"]}
    ).fields
    assert read(timedelta, bound.value) == (length, ""), "what is shown again means the same"


@pytest.mark.parametrize("text", ["90", "1:30", "1:99:00", "h", "1 fortnight", "1 h x", "9" * 90 + " h", "٣ h"])
def test_a_length_of_time_that_is_none_is_refused_with_an_example(text: str) -> None:
    assert read(timedelta, text)[1] == "Enter a duration, such as 1 h 30 min or 1:30:00."


@pytest.mark.parametrize(
    ("text", "zone", "moment"),
    [
        ("2026-07-01T10:00", "Europe/Berlin", datetime(2026, 7, 1, 8, tzinfo=UTC)),
        ("2026-01-01 10:00:30", "America/New_York", datetime(2026, 1, 1, 15, 0, 30, tzinfo=UTC)),
        ("2026-07-01T10:00", "UTC", datetime(2026, 7, 1, 10, tzinfo=UTC)),
        ("2026-10-25T02:30", "Europe/Berlin", datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),  # of two, the first
    ],
)
def test_a_moment_is_read_in_the_zone_its_reader_is_in(text: str, zone: str, moment: datetime) -> None:
    for annotation in (datetime, AwareDatetime):
        assert read(annotation, text, _zone=zone) == (moment, "")


def test_without_a_script_a_moment_is_in_utc_and_the_form_says_so() -> None:
    assert read(datetime, "2026-07-01T10:00")[0] == datetime(2026, 7, 1, 10, tzinfo=UTC)
    assert forms.blank(of(datetime), {}).zone == "UTC"


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../../etc/passwd", "Europe", "a\x00b", "x" * 5000])
def test_a_zone_that_is_not_known_is_said_at_the_moment(zone: str) -> None:
    parameters, form = forms.read(of(datetime), {"it": "2026-07-01T10:00", "_zone": zone})
    assert (parameters, form.zone) == (None, "Etc/UTC")
    assert form.errors == {"it": "Your browser's time zone is not supported. Enter the time in UTC."}


@pytest.mark.parametrize(
    ("annotation", "text", "words"),
    [
        (datetime, "2026-03-29T02:30", "That time doesn't exist: clocks go forward then."),
        (datetime, "9999-12-31T23:30", ""),
        (datetime, "0001-01-01T00:00", "Enter a date and a time"),
        (datetime, "1700000000", "Enter a date and a time"),
        (NaiveDatetime, "2026-03-29T02:30", ""),
        (date, "1700000000", "Enter a date, such as"),
        (date, "2026-02-30", "Enter a date, such as"),
        (FutureDate, "2020-01-01", "Enter a date in the future."),
        (Annotated[date, Field(lt=date(2026, 2, 1))], "2026-02-01", "Must be earlier than 2026-02-01."),
        (Annotated[date, Field(ge=date(2026, 2, 1))], "2026-01-31", "Must be 2026-02-01 or later."),
        (Annotated[time, Field(le=time(17, 30))], "17:31", "Must be 17:30 or earlier."),
        (
            Annotated[NaiveDatetime, Field(gt=datetime(2026, 2, 1))],
            "2026-02-01T00:00",
            "Must be later than 2026-02-01 00:00.",
        ),
        (
            Annotated[datetime, Field(ge=datetime(2026, 2, 1, tzinfo=UTC))],
            "2026-02-01T00:59",
            "Must be 2026-02-01 01:00 or later.",
        ),
        (Annotated[timedelta, Field(le=timedelta(hours=1))], "2 h", "Must be 1 hour or less."),
        (Annotated[str, Field(max_length=1)], "ab", "Enter at most 1 character."),
        (Annotated[Decimal, Field(decimal_places=1)], "1.25", "Enter at most 1 digit after the decimal point."),
        (time, "3600", "Enter a time, such as 14:30."),
        (time, "25:00", "Enter a time, such as 14:30."),
        (Decimal, "1e999999999", "Enter a number."),
        (Decimal, "NaN", "Enter a number."),
        (Decimal, "9" * 100_000, "This number is too long. Enter at most 1,000 characters."),
        (Annotated[Decimal, Field(decimal_places=2)], "1.005", "Enter at most 2 digits after the decimal point."),
        (Annotated[Decimal, Field(max_digits=3)], "1234", "Enter at most 3 digits."),
        (int, "1_000", "Enter a whole number."),
        (int, "1e3", ""),
        (StrictInt, "7.0", ""),
        (EmailStr, "ada", "Enter an e-mail address."),
        (EmailStr, "ada@localhost", "Enter an e-mail address."),
        (HttpUrl, "example.com", "Enter a web address, such as https://example.com."),
        (HttpUrl, "ftp://example.com", "The address must begin with 'http' or 'https'"),
        (UUID, "123", "Enter a UUID, such as"),
        (UUID4, "123e4567-e89b-12d3-a456-426614174000", "Enter a UUID of version 4."),
        (Annotated[str, Field(pattern="^a$")], "b", "This doesn't match the expected format."),
        (Annotated[str | None, Field(min_length=3)], "ab", "Enter at least 3 characters."),
    ],
)
def test_a_value_of_another_type_is_refused_with_a_reason(annotation: Any, text: str, words: str) -> None:
    value, error = read(annotation, text, _zone="Europe/Berlin")
    assert error.startswith(words)
    assert (value is None) == bool(words)
    assert bool(error) == bool(words)


@pytest.mark.parametrize(
    ("annotation", "text", "value"),
    [(str, " ", " "), (str | None, "", None), (str | None, " ", None), (int | None, "", None), (int | None, "0", 0)],
)
def test_an_empty_field_is_none_where_that_is_allowed(annotation: Any, text: str, value: Any) -> None:
    assert read(annotation, text) == (value, "")


@pytest.mark.parametrize("annotation", [str, LongText, Annotated[str, Field(pattern="x?")]])
def test_an_empty_text_is_refused_unless_there_is_a_default(annotation: Any) -> None:
    assert read(annotation, "") == (None, "Fill this in.")


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (Annotated[int, Field(ge=1, multiple_of=5)], {"min": 5, "step": 5}),
        (Annotated[int, Field(gt=-7, lt=7, multiple_of=5)], {"min": -5, "max": 6, "step": 5}),
        (Annotated[Decimal, Field(max_digits=5, decimal_places=2)], {"min": -999.99, "max": 999.99, "step": "0.01"}),
        (Annotated[Decimal, Field(gt=0, decimal_places=1)], {"min": 0.1, "step": "0.1"}),
        (Annotated[date, Field(gt=date(2026, 1, 1), le=date(2026, 2, 1))], {"min": "2026-01-02", "max": "2026-02-01"}),
        (Annotated[str, Show(placeholder="like this")], {"placeholder": "like this"}),
    ],
)
def test_a_browser_gets_the_limits(annotation: Any, expected: dict[str, Any]) -> None:
    assert attributes(annotation) == expected


def test_a_field_shows_its_unit_its_examples_and_that_it_may_be_empty() -> None:
    fields = {field.name: field for field in forms.fields_of(TASK)}
    assert (fields["count"].unit, fields["length"].examples) == ("boxes", ("1 h 30 min", "0:45:00"))
    assert (fields["note"].optional, fields["note"].required) == (True, False)


def test_a_unit_may_be_said_to_pydantic_too() -> None:
    (field,) = forms.fields_of(of(Annotated[int, Field(ge=1, json_schema_extra={"unit": "px"})]))
    assert (field.unit, field.attributes["min"]) == ("px", 1)


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (int | None, "Enter a whole number."),
        (Annotated[Decimal, Field(gt=0)], "Enter a number."),
        (date | None, "Enter a date, such as"),
        (datetime, "Enter a date and a time, such as"),
        (str | None, ""),
    ],
)
def test_what_a_browser_could_not_read_is_not_taken_for_nothing(annotation: Any, words: str) -> None:
    assert read(annotation, "", _unread="it")[1].startswith(words)
    assert bool(read(annotation, "", _unread="it")[1]) == bool(words)


@pytest.mark.parametrize(
    ("limits", "least", "most"),
    [
        ({"ge": time(9), "le": time(17, 30)}, "09:00", "17:30"),
        ({"gt": time(9), "lt": time(17, 30)}, "09:00:00.001", "17:29:59.999"),
        ({"ge": time(9, 0, 0, 5), "le": time(9, 0, 1, 5)}, "09:00:00.001", "09:00:01"),
        ({"gt": time(9, 0, 0, 5), "lt": time(9, 0, 1, 5)}, "09:00:00.001", "09:00:01"),
    ],
)
def test_a_browser_gets_the_first_and_last_times_that_it_can_distinguish(
    limits: dict[str, Any], least: str, most: str
) -> None:
    told = attributes(Annotated[time, Field(**limits)])
    assert (told["min"], told["max"]) == (least, most)


@pytest.mark.parametrize(
    ("annotation", "kept", "shown"),
    [
        (datetime, "2026-01-01T10:30:15.123456Z", "2026-01-01T10:30:15.123"),
        (NaiveDatetime, "2026-01-01T10:30:15.000400", "2026-01-01T10:30:15.000"),
        (time, "10:30:15.123456", "10:30:15.123"),
        (time, "10:30:00", "10:30"),
        (datetime, "2026-01-01T10:00:05+01:00", "2026-01-01T09:00:05"),
    ],
)
def test_a_moment_is_shown_as_finely_as_a_browser_can(annotation: Any, kept: str, shown: str) -> None:
    (bound,) = forms.blank(of(annotation), {"it": kept}).fields
    assert bound.value == shown
