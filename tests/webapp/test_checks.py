"""A form that is being filled in: what is wrong is told where somebody has been, and nowhere else."""

from collections.abc import Sequence

import pytest
from flask import Flask

from jobs import Backend
from tests.gallery import TASKS
from tests.jobs.serving import catalog_of
from tests.visitor import ORIGIN, Visitor, soup
from webapp.current import put_backend


@pytest.fixture(autouse=True)
def gallery(app: Flask, backend: Backend) -> None:
    from dataclasses import replace

    put_backend(app, replace(backend, catalog=catalog_of(*TASKS)))


def check(visitor: Visitor, task: str, touched: list[str], **posted: Sequence[str]) -> dict[str, str]:
    """What is told of each field: words, or nothing where it is right."""
    data = {**{name.replace("__", "."): value for name, value in posted.items()}, "_touched": touched}
    response = visitor.client.post(f"/tasks/{task}/check", data=data, headers=ORIGIN)
    assert response.status_code == 200
    found = {str(one["hx-target"]): one.text.strip() for one in soup(response).select("hx-partial")}
    return {target.removeprefix("[id='").removesuffix("-check']"): words for target, words in found.items()}


def test_of_the_fields_that_somebody_has_been_at_it_tells_what_is_wrong(ada: Visitor) -> None:
    told = check(ada, "scalars", ["count", "code", "price"], count="12", code="AB-12", price="x", day="never", note="")
    assert told == {"count": "Must be 9 or less.", "code": "", "price": "Enter a number."}


def test_a_field_that_was_emptied_is_to_be_filled_and_one_not_reached_yet_is_not(ada: Visitor) -> None:
    assert check(ada, "scalars", ["email"], email="", site="") == {"email": "Fill this in."}


def test_a_rule_of_two_fields_is_told_once_both_are_there(ada: Visitor) -> None:
    first = {"during": ["given"], "during__first": "2026-02-01"}
    assert check(ada, "compounds", ["during.first"], **first, during__last="") == {"during.first": "", "during": ""}
    told = check(ada, "compounds", ["during.first", "during.last"], **first, during__last="2026-01-01")
    assert told["during"] == "The last day must not be before the first."


def test_parts_of_rows_and_of_what_was_chosen_are_told_of(ada: Visitor) -> None:
    rows = {"numbers": ["0", "3"], "numbers__0": "-1", "numbers__3": "2"}
    told = check(ada, "compounds", ["numbers.0", "numbers.3"], **rows)
    assert told == {"numbers.0": "Must be 0 or more.", "numbers.3": ""}
    circle = {"shape": "circle", "shape___shown": "circle", "shape__radius": "-1"}
    assert check(ada, "compounds", ["shape.radius"], **circle) == {"shape.radius": "Must be greater than 0."}


def test_what_is_no_field_is_not_told_of(ada: Visitor) -> None:
    assert check(ada, "scalars", ["nothing", "<script>", "count.0", "_touched", ""], count="12") == {}


def test_a_summary_that_is_shown_shrinks_with_what_is_wrong(ada: Visitor) -> None:
    touched = ["count", "code", "price"]
    told = check(ada, "scalars", touched, count="12", code="x", price="1", _problems="shown")
    assert "2 fields need another look" in told["#task-problems"]
    told = check(ada, "scalars", touched, count="2", code="x", price="1", _problems="shown")
    assert told["#task-problems"] == ""


def test_nothing_is_kept_of_it_and_strangers_are_asked_who_they_are(app: Flask, ada: Visitor) -> None:
    check(ada, "scalars", ["count"], count="5")
    assert "No runs" in ada.get("/runs").text
    assert Visitor(app).post("/tasks/scalars/check", {"count": "5"}).status_code == 303
    signed_out = Visitor(app).post("/tasks/scalars/check", {"count": "5"}, HX_Request="true")
    assert (signed_out.status_code, signed_out.headers.get("HX-Redirect")) == (204, None), "the form stays"
    assert (
        ada.client.post("/tasks/scalars/check", data={}, headers={"Origin": "http://evil.example"}).status_code == 403
    )
    assert ada.post("/tasks/none/check").status_code == 404
