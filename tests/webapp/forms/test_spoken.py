"""A run's parameters on its page and in its row: labels and words, not what the database keeps."""

from dataclasses import replace
from typing import Any

import pytest
from flask import Flask

from jobs.runs.backend import Backend
from tests.support.gallery import CATALOG
from tests.support.people import make_run, owner_id
from tests.support.visitor import Visitor, soup, the
from tests.webapp.forms.test_compounds import VALUES
from webapp.current import put_backend

SCALARS = {
    "count": 3,
    "price": "19.90",
    "starts": "2026-07-01T08:00:00Z",
    "length": "PT1H30M",
    "shown": "2026-03-29T02:30:00",
    "gift": True,
    "note": None,
    "story": "a\nb",
}
CHOICES = {"size": 2, "days": ["Sunday", "Monday"], "fragile": False, "another": None}


@pytest.fixture
def shown(app: Flask, backend: Backend, ada: Visitor) -> Any:
    """The parameters of a run of Ada's: on its page, and in its row."""
    put_backend(app, replace(backend, catalog=CATALOG))

    def show(task: str, parameters: dict[str, Any]) -> tuple[list[str], str]:
        run = make_run(backend, owner_id(backend, ada.email), task, parameters=parameters)
        page = the(soup(ada.get(f"/runs/{run.id}")), ".run-full__facts .card")
        words = [" ".join(one.text.split()) for one in page.select("dt, dd:not(:has(dl))")]
        return words, the(soup(ada.get("/runs")), ".run__parameters").text

    return show


def test_single_values_are_said_as_the_form_says_them(shown: Any) -> None:
    words, row = shown("scalars", SCALARS)
    pairs = dict(zip(words[::2], words[1::2], strict=False))
    assert pairs["How many"] == "3 boxes"
    assert pairs["Price"] == "19.90 €"
    assert pairs["Starts"] == "2026-07-01 08:00:00 UTC"
    assert pairs["Length"] == "1 h 30 min"
    assert pairs["Shown"] == "2026-03-29 02:30"
    assert (pairs["Gift"], pairs["Note"], pairs["Story"]) == ("yes", "nothing", "a b")
    assert row.startswith("count = 3 boxes, price = 19.90 €, starts = 2026-07-01 08:00:00 UTC, length = 1 h 30 min")


def test_choices_are_said_by_their_labels(shown: Any) -> None:
    words, row = shown("choices", CHOICES)
    assert words == ["Size", "Rather large", "Days", "Monday, Sunday", "Fragile", "No", "Another", "nothing"]
    assert row == "size = Rather large, days = Monday, Sunday, fragile = No, another = nothing"


def test_parts_are_said_part_by_part(shown: Any) -> None:
    words, row = shown("compounds", VALUES)
    for label, value in (("Zip code", "12345"), ("Name", "Ada"), ("Phones", "+49 30"), ("Radius", "2.5 cm")):
        assert words[words.index(label) + 1] == value
    assert row.startswith("sender = Street: Main Street 1, Zip code: 12345, Notes: empty, numbers = 3, 4, people = (")


@pytest.mark.parametrize("task", ["compounds", "choices", "scalars", "gone"])
@pytest.mark.parametrize("value", ["x", 7, [], [1], {}, {"kind": "gone"}, [{"a": [1]}], True])
def test_what_no_longer_fits_its_task_is_said_as_it_is(shown: Any, task: str, value: Any) -> None:
    names = [*VALUES, *CHOICES, *SCALARS]
    words, _row = shown(task, dict.fromkeys(names, value))
    assert words


def test_a_run_without_parameters_says_so(shown: Any) -> None:
    assert shown("grouped", {})[1] == "No parameters"
