"""Validation of a form that is being filled in: errors appear only at touched fields."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Literal

import pytest
from flask import Flask
from pydantic import AfterValidator, BaseModel, Field, model_validator

from jobs import task
from jobs.runs.backend import Backend
from tests.support.gallery import TASKS
from tests.support.serving import catalog_of
from tests.support.visitor import ORIGIN, Visitor, soup
from webapp.current import put_backend


@pytest.fixture(autouse=True)
def gallery(app: Flask, backend: Backend) -> None:
    put_backend(app, replace(backend, catalog=catalog_of(*TASKS)))


def check(visitor: Visitor, task: str, touched: list[str], **posted: Sequence[str]) -> dict[str, str]:
    """Return the message for each touched field, empty if the field is valid."""
    data = {**{name.replace("__", "."): value for name, value in posted.items()}, "_touched": touched}
    response = visitor.client.post(f"/tasks/{task}/check", data=data, headers=ORIGIN)
    assert response.status_code == 200
    partials = soup(response).select("hx-partial:not([hx-target='#task-programs'])")
    found = {str(one["hx-target"]): one.text.strip() for one in partials}
    return {target.removeprefix("[id='").removesuffix("-check']"): words for target, words in found.items()}


def test_of_the_fields_that_somebody_has_been_at_it_tells_what_is_wrong(ada: Visitor) -> None:
    told = check(ada, "scalars", ["count", "code", "price"], count="12", code="AB-12", price="x", day="never", note="")
    assert told == {"count": "Must be 9 or less.", "code": "", "price": "Enter a number."}


def test_a_field_that_was_emptied_is_to_be_filled_and_one_not_reached_yet_is_not(ada: Visitor) -> None:
    assert check(ada, "scalars", ["email"], email="", site="") == {"email": "Fill this in."}


def test_a_rule_of_two_fields_is_checked_once_both_are_there(ada: Visitor) -> None:
    first = {"during": ["given"], "during__first": "2026-02-01"}
    assert check(ada, "compounds", ["during.first"], **first, during__last="") == {"during.first": "", "during": ""}
    told = check(ada, "compounds", ["during.first", "during.last"], **first, during__last="2026-01-01")
    assert told["during"] == "The last day must not be before the first."


def test_rules_of_tuples_and_choices_are_checked_likewise(app: Flask, backend: Backend, ada: Visitor) -> None:
    def in_order(ends: tuple[int, int]) -> tuple[int, int]:
        if ends[1] < ends[0]:
            raise ValueError("The first must not be larger.")
        return ends

    class Span(BaseModel):
        kind: Literal["span"]
        ends: tuple[int, int]

        @model_validator(mode="after")
        def _not_empty(self) -> "Span":
            if self.ends[0] == self.ends[1]:
                raise ValueError("It is empty.")
            return self

    class Point(BaseModel):
        kind: Literal["point"]

    @task
    def one(
        ends: Annotated[tuple[int, int], AfterValidator(in_order)],
        where: Annotated[Span | Point, Field(discriminator="kind")],
    ) -> None: ...

    put_backend(app, replace(backend, catalog=catalog_of(one)))
    span = {"where": "span", "where___shown": "span", "where__ends__0": "1", "where__ends__1": "1"}
    told = check(ada, "one", ["ends.1", "where.ends.1"], ends__0="3", ends__1="2", **span)
    assert told["ends"] == "The first must not be larger."
    assert told["where"] == "It is empty."


def test_errors_in_rows_and_choices_are_shown(ada: Visitor) -> None:
    rows = {"numbers": ["0", "3"], "numbers__0": "-1", "numbers__3": "2"}
    told = check(ada, "compounds", ["numbers.0", "numbers.3"], **rows)
    assert told == {"numbers.0": "Must be 0 or more.", "numbers.3": ""}
    circle = {"shape": "circle", "shape___shown": "circle", "shape__radius": "-1"}
    told = check(ada, "compounds", ["shape.radius"], **circle)
    assert told == {"shape": "", "shape.radius": "Must be greater than 0."}


def test_what_is_no_field_is_not_told_of(ada: Visitor) -> None:
    assert check(ada, "scalars", ["nothing", "<script>", "count.0", "_touched", ""], count="12") == {}


def test_a_summary_that_is_shown_shrinks_with_what_is_wrong(ada: Visitor) -> None:
    touched = ["count", "code", "price"]
    told = check(ada, "scalars", touched, count="12", code="x", price="1", _problems="shown")
    assert "2 fields need attention" in told["#task-problems"]
    told = check(ada, "scalars", touched, count="2", code="x", price="1", _problems="shown")
    assert told["#task-problems"] == ""


def test_nothing_is_kept_of_it_and_strangers_are_asked_who_they_are(app: Flask, ada: Visitor) -> None:
    check(ada, "scalars", ["count"], count="5")
    assert "Choose a task" in ada.get("/runs").text
    assert Visitor(app).post("/tasks/scalars/check", {"count": "5"}).status_code == 303
    signed_out = Visitor(app).post("/tasks/scalars/check", {"count": "5"}, HX_Request="true")
    assert (signed_out.status_code, signed_out.headers.get("HX-Redirect")) == (204, None), "the form stays"
    assert (
        ada.client.post("/tasks/scalars/check", data={}, headers={"Origin": "http://evil.example"}).status_code == 403
    )
    assert ada.post("/tasks/none/check").status_code == 404
