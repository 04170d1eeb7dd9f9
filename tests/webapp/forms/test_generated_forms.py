"""Forms of generated signatures: the browser and the server agree, nothing is lost, and nothing breaks.

100 of each are made; with FORMS=full 10,000.
"""

import os
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

from jobs.authoring.catalog import Catalog
from jobs.authoring.task import Task
from jobs.runs.backend import Backend
from jobs.runs.run import Run
from jobs.runs.submission import given_parameters
from tests.support.generated_forms import posts, tasks
from tests.support.html_form import lets_through, sent_by
from tests.support.people import owner_id
from tests.support.visitor import ORIGIN, Visitor, soup, the
from webapp import forms
from webapp.current import put_backend
from webapp.forms.messages import TWICE

FULL = os.environ.get("FORMS") == "full"

# As many has a floating-point number.
EXACT_DIGITS = 15

# The application is the same for all; what is in its database does not matter to a form.
thoroughly = settings(
    max_examples=10_000 if FULL else 100,
    derandomize=not FULL,  # otherwise the same ones, so that a change is to blame and not chance
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)


class TaskPages:
    """The pages of one task after another, as one visitor uses them."""

    def __init__(self, app: Flask, backend: Backend, visitor: Visitor) -> None:
        self.app, self.backend, self.visitor = app, backend, visitor

    def post(self, task: Task, posted: MultiDict[str, str]) -> Any:
        put_backend(self.app, replace(self.backend, catalog=Catalog({task.name: task})))
        return self.visitor.client.post(f"/tasks/{task.name}", data=posted, headers=ORIGIN)

    def check(self, task: Task, posted: MultiDict[str, str], touched: list[str]) -> dict[str, str]:
        """Return the messages for touched fields while the form is being filled in."""
        asked = MultiDict([*posted.items(multi=True), *((forms.TOUCHED, name) for name in touched)])
        put_backend(self.app, replace(self.backend, catalog=Catalog({task.name: task})))
        page = soup(self.visitor.client.post(f"/tasks/{task.name}/check", data=asked, headers=ORIGIN))
        return {str(words["id"]): words.text.strip() for words in page.select("hx-partial p")}

    @property
    def own(self) -> forms.OwnInputs:
        """The visitor's own inputs, with access to their sealed secrets."""
        vault, owner = self.backend.vault, owner_id(self.backend, self.visitor.email)
        return forms.OwnInputs(opened=partial(vault.unseal, owner))

    def form_again(self, task: Task) -> Any:
        """The form with the parameters of the visitor's last run."""
        return the(soup(self.visitor.get(f"/tasks/{task.name}?run={self.last().id}")), "#task-form")

    def last(self) -> Run:
        with self.backend.database.read() as session:
            run = session.query(Run).order_by(Run.id.desc()).first()
        assert run is not None
        return run

    def kept(self) -> Any:
        """The parameters of the last run, with its secrets in their places."""
        return given_parameters(self.backend, self.last())


@pytest.fixture
def pages(app: Flask, backend: Backend, ada: Visitor) -> TaskPages:
    return TaskPages(app, backend, ada)


def bound_fields(form: forms.Form) -> list[forms.BoundField]:
    return [inside for bound in form.fields for inside in bound.all()]


def is_beyond_html(bound: forms.BoundField, words: str) -> bool:
    """Return whether the message is about a rule that no HTML attribute expresses."""
    kind, value = bound.field.kind, bound.value
    beyond = {
        "search": True,  # suggestions bind nobody
        # Forms are checked by the server alone: no pattern says how these are written.
        **dict.fromkeys(("text", "long_text"), words == "This doesn't match the expected format."),
        **dict.fromkeys(("digits", "duration", "uuid", "email", "url"), True),
        # How many digits altogether; and the remainder of a number with more than Python's decimals have.
        "decimal": "digits" in words or ("multiple" in words and Decimal(value).adjusted() > 20),
    }
    if beyond.get(kind) or words == TWICE:  # rows know nothing of each other
        return True
    if kind in ("number", "decimal") and "multiple" in words:  # larger ones leave remainders that are not theirs
        return Decimal(value).adjusted() > EXACT_DIGITS
    if kind in ("number", "decimal") and words.startswith(("Must be greater than", "Must be less than")):
        ends = (bound.field.attributes.get("min"), bound.field.attributes.get("max"))
        return Decimal(value) in [Decimal(str(end)) for end in ends if end is not None]  # not the end itself
    return any(ord(character) > 0xFFFF for character in value)  # a browser counts these twice


@thoroughly
@given(data=st.data())
def test_what_a_browser_lets_through_parses_and_what_is_refused_is_shown_at_its_field(
    pages: TaskPages, data: st.DataObject
) -> None:
    task = data.draw(tasks())
    posted = data.draw(posts(task))
    _parameters, form = forms.read(task, posted)
    for bound in bound_fields(form):
        words = form.errors.get(bound.field.name, "")
        note(f"{bound.field.name} {bound.field.kind} {bound.value!r} {dict(bound.field.attributes)} {words}")
        if words and isinstance(bound.value, str) and not bound.field.is_compound:
            assert not lets_through(bound.field, bound.value) or is_beyond_html(bound, words)
    told = pages.check(task, posted, [bound.field.name for bound in bound_fields(form)])
    assert told == {f"{name}-error": words for name, words in form.errors.items()}
    response = pages.post(task, posted)
    assert response.status_code == (422 if form.errors else 303)
    if form.errors:
        page = the(soup(response), "#task-form")
        shown = [str(error["id"]) for error in page.select(".field__error")]
        assert sorted(shown) == sorted(f"{name}-error" for name in form.errors)
        assert len(page.select("[autofocus]")) == 1
        again = forms.read(task, sent_by(page), pages.own)[1]
        assert [(one.field.name, one.value) for one in bound_fields(again)] == [
            (one.field.name, one.value if is_shown(one) else "") for one in bound_fields(form)
        ]


def is_shown(bound: forms.BoundField) -> bool:
    """Return whether a page can show the value; radio buttons and lists show only existing choices."""
    kind = bound.field.kind
    return kind not in ("radios", "select") or bound.value in {choice.text for choice in bound.field.choices}


@thoroughly
@given(data=st.data())
def test_what_was_accepted_fills_the_form_again_and_means_the_same(pages: TaskPages, data: st.DataObject) -> None:
    task = data.draw(tasks())
    posted = data.draw(posts(task))
    parameters, _form = forms.read(task, posted)
    if parameters is None:
        return
    assert pages.post(task, posted).status_code == 303
    again = pages.form_again(task)
    note(str(again))
    assert pages.post(task, sent_by(again)).status_code == 303
    assert task.parameters.model_validate(pages.kept()) == parameters


NAMES = st.from_regex(r"(parameter_[0-3])(\.([0-9]{1,7}|part_[0-3]|key|value|tag|_shown)){0,4}", fullmatch=True)
BUTTONS = st.tuples(st.sampled_from(["add", "remove", "show", ""]), NAMES).map(" ".join)


@thoroughly
@given(data=st.data())
def test_nothing_that_is_posted_breaks_a_form(pages: TaskPages, data: st.DataObject) -> None:
    task = data.draw(tasks())
    posted = data.draw(posts(task))
    hostile = st.lists(st.tuples(NAMES, st.text(max_size=10) | st.sampled_from(["0", "1", "given", "one"])), max_size=8)
    for name, value in data.draw(hostile):
        posted.add(name, value)
    if data.draw(st.booleans()):
        posted.add(forms.CHANGE, data.draw(BUTTONS | st.text(max_size=10)))
    if data.draw(st.booleans()):
        posted.add("_zone", data.draw(st.text(max_size=10)))
    response = pages.post(task, MultiDict(posted))
    assert response.status_code in ((200,) if forms.CHANGE in posted else (303, 422))
