"""Fields to choose in: how each shows its values, what was chosen, and what is none of them."""

import enum
from typing import Any, Literal

import pytest
from bs4 import BeautifulSoup
from flask import Flask, render_template
from pydantic import BaseModel
from werkzeug.datastructures import MultiDict

from jobs.authoring.task import Task, TaskError
from tests.support.gallery import Country, Size, choices
from tests.support.html_form import sent_by
from tests.webapp.forms.test_scalars import of, read
from webapp import forms

TASK: Task = choices.__dict__["__task__"]
GOOD: dict[str, Any] = {
    "size": "2",
    "day": "Friday",
    "country": "Kenya",
    "days": ["Monday", "Sunday"],
    "tone": "friendly",
}


def test_the_number_of_choices_decides_how_they_are_shown() -> None:
    kinds = {field.name: field.kind for field in forms.fields_of(TASK)}
    assert kinds == {
        "size": "radios",
        "day": "select",
        "country": "search",
        "days": "checks",
        "tone": "radios",
        "another": "radios",
        "other_day": "select",
        "elsewhere": "search",
        "fragile": "radios",
        "extras": "checks",
    }


def test_a_member_without_words_of_its_own_is_shown_by_its_name() -> None:
    (size, _day, country, *_others) = forms.fields_of(TASK)
    assert [(one.text, one.label) for one in size.choices] == [("1", "Small"), ("2", "Rather large")]
    assert country.choices[0].label == "Argentina"


def test_what_was_chosen_becomes_the_values_and_survives_the_database() -> None:
    parameters, form = forms.read(TASK, MultiDict({**GOOD, "fragile": "false", "extras": ["card", "wrap"]}))
    assert form.errors == {}
    assert isinstance(parameters, BaseModel)
    assert parameters.model_dump() == {
        "size": Size.RATHER_LARGE,
        "day": "Friday",
        "country": Country("Kenya"),
        "days": {"Monday", "Sunday"},
        "tone": "friendly",
        "another": None,
        "other_day": None,
        "elsewhere": None,
        "fragile": False,
        "extras": ["wrap", "card"],
    }
    kept = parameters.model_dump(mode="json")
    assert TASK.parameters.model_validate(kept) == parameters
    again = forms.blank(TASK, kept).values
    assert (again["size"], again["days"], again["fragile"]) == ("2", ("Monday", "Sunday"), "false")


def test_what_is_optional_may_be_left() -> None:
    empty = {"another": "", "other_day": "", "elsewhere": "", "fragile": ""}
    parameters, _form = forms.read(TASK, MultiDict({**GOOD, **empty}))
    assert parameters is not None
    assert {parameters.model_dump()[name] for name in (*empty, "extras")} == {None}


@pytest.mark.parametrize(
    ("name", "posted", "words"),
    [
        ("size", "3", "Choose one of these."),
        ("size", "", "Choose one of these."),
        ("day", "friday the 13th", "Choose one of these."),
        ("country", "Atlantis", "Choose one of these."),
        ("days", ["Monday", "Someday"], "Choose one of these."),
        ("days", [], "At least 1 required."),
        ("fragile", "maybe", "Choose one of these."),
        ("extras", ["card"] * 10_000 + ["bow"], "Choose one of these."),
    ],
)
def test_what_is_no_choice_is_refused_and_the_rest_is_kept(name: str, posted: Any, words: str) -> None:
    parameters, form = forms.read(TASK, MultiDict({**GOOD, name: posted}))
    assert parameters is None
    assert dict(form.errors) == {name: words}
    assert form.values["tone"] == "friendly"


@pytest.mark.parametrize("text", ["Kenya", "kenya ", "KENYA"])
def test_a_search_takes_what_people_type(text: str) -> None:
    assert read(Country, text) == (Country("Kenya"), "")


def test_true_and_one_are_two_choices() -> None:
    assert forms.blank(of(Literal[1, True]), {"it": True}).values == {"it": "True"}
    assert read(Literal[1, True], "True")[0] is True


class Pair(enum.Enum):
    LEFT = (1, 2)


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (Literal[1, "1"], "parameter 'it' has .* two choices with the same text"),
        (Literal["", "a"], "parameter 'it' has an empty choice"),
        (Pair, r"is an Enum with values that cannot be stored\. Use strings or numbers"),
    ],
)
def test_choices_that_nobody_could_tell_apart_stop_the_start(annotation: Any, words: str) -> None:
    with pytest.raises(TaskError, match=words):
        forms.fields_of(of(annotation))


def test_a_list_shows_no_other_choice_for_one_that_is_gone(app: Flask) -> None:
    form = forms.blank(TASK, {"day": "Someday"})
    with app.test_request_context():
        page = BeautifulSoup(render_template("tasks/_form.html", task=TASK, form=form), "html.parser")
    assert sent_by(page)["day"] == ""
