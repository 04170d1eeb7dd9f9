"""Forms: what a signature asks for, what was posted, and what was wrong with it."""

import enum
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal

import pytest
from bs4 import BeautifulSoup
from flask import Flask, render_template
from pydantic import Field

from jobs import LongText, Slider, task
from jobs.authoring.catalog import Catalog
from jobs.authoring.task import Task, TaskError
from jobs.runs.backend import Backend, open_backend
from tests.support.visitor import the
from webapp import create_app, forms


class Size(enum.Enum):
    SMALL = 1
    LARGE = 2


@task
def order(
    count: Annotated[int, Field(ge=1, le=9, title="How many", description="One to nine.")],
    price: Annotated[float, Field(gt=0)],
    name: Annotated[str, Field(min_length=2, max_length=10, pattern="^[a-z]+$")],
    day: date,
    story: LongText = "",
    gift: bool = False,
    size: Size = Size.LARGE,
    colour: Literal["red", "green", "blue", "black", "white"] = "red",
    huge: Annotated[int, Field(ge=0, le=10**30)] = 7,
    discount: Annotated[float, Slider, Field(ge=0, le=1, title="Off")] = 0.25,
) -> str:
    """Order something."""
    return f"{count} {name}"


TASK: Task = order.__dict__["__task__"]
GOOD = {"count": "3", "price": "1.5", "name": "pears", "day": "2026-01-31", "story": "a\r\nb", "size": "1", "huge": "8"}


def field(name: str) -> forms.Field:
    return next(field for field in forms.fields_of(TASK) if field.name == name)


@pytest.mark.parametrize(
    ("name", "kind", "attributes"),
    [
        ("count", "integer", {"min": 1, "max": 9, "step": 1}),
        ("price", "number", {"min": 0, "step": "any"}),
        ("name", "text", {"minlength": 2, "maxlength": 10}),
        ("day", "date", {"max": "9999-12-31"}),
        ("story", "long_text", {}),
        ("gift", "switch", {}),
        ("size", "radios", {}),
        ("colour", "select", {}),
        ("huge", "digits", {"inputmode": "numeric", "maxlength": 31}),
        ("discount", "number", {"min": 0, "max": 1, "step": "any"}),
    ],
)
def test_a_field_follows_from_its_annotation(name: str, kind: str, attributes: dict[str, Any]) -> None:
    assert field(name).kind == kind
    assert field(name).attributes == attributes


def test_titles_and_help_are_shown() -> None:
    assert (field("count").label, field("count").help) == ("How many", "One to nine.")
    assert field("story").label == "Story"


def test_what_was_posted_becomes_parameters() -> None:
    parameters, form = forms.read(TASK, {**GOOD, "gift": "true", "colour": "blue"})
    assert form.errors == {}
    assert parameters is not None
    assert parameters.model_dump() == {
        "count": 3,
        "price": 1.5,
        "name": "pears",
        "day": date(2026, 1, 31),
        "story": "a\nb",
        "gift": True,
        "size": Size.SMALL,
        "colour": "blue",
        "huge": 8,
        "discount": 0.25,
    }


def test_parameters_survive_the_database() -> None:
    parameters, _form = forms.read(TASK, GOOD)
    assert parameters is not None
    assert TASK.parameters.model_validate(parameters.model_dump(mode="json")) == parameters


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("count", "", "Fill this in."),
        ("huge", "", "Fill this in."),
        ("count", "x", "Enter a whole number."),
        ("count", "2.5", "Enter a whole number."),
        ("count", "0", "Must be 1 or more."),
        ("count", "9" * 5000, "This number is too long. Enter at most 1,000 characters."),
        ("price", "0", "Must be greater than 0."),
        ("price", "nan", "Enter a finite number."),
        ("price", "1e999", "Enter a finite number."),
        ("name", "", "Enter at least 2 characters."),
        ("name", "toolonganame", "Enter at most 10 characters."),
        ("name", "ABC", "This doesn't match the expected format."),
        ("name", "a\x00b", "This contains a NUL character, which can't be stored. Remove it."),
        ("day", "31.1.2026", "Enter a date, such as 2026-01-31."),
        ("day", "", "Fill this in."),
        ("size", "3", "Choose one of these."),
        ("colour", "pink", "Choose one of these."),
        ("huge", "1" * 40, "Must be 1,000,000,000,000,000,000,000,000,000,000 or less."),
    ],
)
def test_an_error_is_at_its_field_and_the_values_are_kept(name: str, value: str, words: str) -> None:
    posted = {**GOOD, name: value}
    parameters, form = forms.read(TASK, posted)
    assert parameters is None
    assert dict(form.errors) == {name: words}
    assert form.values["count"] == posted["count"]
    assert form.values[name] == value


def test_every_error_is_shown_at_once() -> None:
    _parameters, form = forms.read(TASK, {})
    assert set(form.errors) == {"count", "price", "name", "day"}


@pytest.mark.parametrize(
    ("annotation", "examples", "shown"),
    [
        (timedelta, [timedelta(hours=1.5), "0:45:00", "1 h and more"], ("1 h 30 min", "0:45:00", "1 h and more")),
        (Size, [Size.SMALL], ("Small",)),
        (datetime, [datetime(2026, 1, 2, 3, 4, tzinfo=UTC)], ("2026-01-02 03:04",)),
        (int, ["Twenty"], ("Twenty",)),
        (Decimal, [Decimal("1.50")], ("1.50",)),
        (int | None, [3], ("3",)),
        (bool, [True], ()),
        (list[int], [[1, 2]], ()),
        (dict[str, int], [{"a": 1}], ()),
    ],
)
def test_examples_are_shown_as_they_are_entered(annotation: Any, examples: list[Any], shown: tuple[str, ...]) -> None:
    def one(it: Any) -> None: ...

    one.__annotations__["it"] = Annotated[annotation, Field(examples=examples)]
    assert forms.fields_of(task(one).__dict__["__task__"])[0].examples == shown


def test_a_parameter_that_no_field_shows_stops_the_start(backend: Backend) -> None:
    @task
    def odd(data: bytes | complex) -> None: ...

    with pytest.raises(TaskError, match=r"test_forms\.py:\d+: task 'odd'"):
        create_app(open_backend(backend.settings, Catalog({"odd": odd.__dict__["__task__"]})))


def slider_of(annotation: Any) -> Any:
    def one(number: Any) -> None: ...

    one.__annotations__["number"] = annotation
    return forms.fields_of(task(one).__dict__["__task__"])[0].slider


@pytest.mark.parametrize(
    ("annotation", "step"),
    [
        (Annotated[float, Field(ge=0, le=1), Slider], 0.01),
        (Annotated[float, Field(ge=-2.5, le=1.5), Slider], 0.01),
        (Annotated[float, Field(ge=0, le=1e6), Slider], 10_000),
        (Annotated[float, Field(ge=0, le=1, multiple_of=0.25), Slider], 0.25),
        (Annotated[int, Field(gt=0, lt=10_000), Slider], 1),
        (Annotated[int, Field(ge=10, le=50, multiple_of=10), Slider], 10),
        (Annotated[Decimal, Field(ge=0, le=1), Slider], 0.01),
        (Annotated[Decimal, Field(gt=0, lt=5, decimal_places=1), Slider], "0.1"),
        (Annotated[int | None, Field(ge=10, le=50), Slider], 1),
        (Annotated[int, Field(ge=10, le=50)], None),
    ],
)
def test_a_slider_goes_through_a_numbers_range_in_round_steps(annotation: Any, step: float | str | None) -> None:
    assert slider_of(annotation).get("step") == step


@pytest.mark.parametrize(
    "annotation",
    [
        Annotated[float, Slider],
        Annotated[float, Field(ge=0), Slider],
        Annotated[float, Field(gt=0, lt=1), Slider],
        Annotated[float, Field(ge=1, le=1), Slider],
        Annotated[int, Field(ge=0, le=10**30), Slider],
        Annotated[Decimal, Field(gt=0, lt=1), Slider],
        Annotated[bool, Slider],
        Annotated[str, Slider],
    ],
)
def test_a_slider_without_two_ends_stops_the_start(annotation: Any) -> None:
    with pytest.raises(TaskError, match=r"'number' is a Slider, .* such as Field\(ge=0, le=1\)"):
        slider_of(annotation)


@pytest.mark.parametrize("rows", [1, 2])
def test_a_list_offers_rows_as_long_as_there_may_be_more(app: Flask, rows: int) -> None:
    def greet(names: Annotated[list[str], Field(max_length=2)]) -> None: ...

    one: Task = task(greet).__dict__["__task__"]
    with app.test_request_context():
        form = forms.blank(one, {"names": ["a", "b"][:rows]})
        page = BeautifulSoup(render_template("tasks/_form.html", task=one, form=form), "html.parser")
    assert len(page.select(".rows__add")) == (1 if rows == 1 else 0)
    assert ("You can add at most 2." in page.text) == (rows == 2)


def test_a_slider_is_beside_its_field_and_sends_nothing(app: Flask) -> None:
    form = forms.blank(TASK, {})
    with app.test_request_context():
        page = BeautifulSoup(render_template("tasks/_form.html", task=TASK, form=form), "html.parser")
    (slider,) = page.select("[type=range]")
    number = the(page, "#discount-input")
    assert (number["type"], number["name"], number["value"]) == ("number", "discount", "0.25")
    assert slider.get("name") is None
    assert [slider[name] for name in ("data-slides", "aria-label", "min", "max", "step", "value")] == [
        "discount-input",
        "Off, slider",
        "0",
        "1",
        "0.01",
        "0.25",
    ]
