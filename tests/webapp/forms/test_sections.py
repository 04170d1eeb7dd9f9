"""Groups of fields, collapsed sections, and the summary of errors with links to the fields."""

from typing import Any

import pytest
from bs4 import BeautifulSoup
from flask import Flask, render_template

from jobs.authoring.task import Task
from tests.support.gallery import compounds, grouped
from tests.support.visitor import the
from webapp import forms

TASK: Task = grouped.__dict__["__task__"]


@pytest.fixture
def html(app: Flask) -> Any:
    """Renders a form."""

    def render(form: forms.Form, task: Task = TASK) -> BeautifulSoup:
        with app.test_request_context():
            return BeautifulSoup(render_template("tasks/_form.html", task=task, form=form), "html.parser")

    return render


def refused(**posted: str) -> forms.Form:
    _parameters, form = forms.read(TASK, {"title": "x", "width": "1", "height": "1", "threads": "1", **posted})
    return form


def test_fields_of_one_group_stand_together_and_advanced_ones_at_the_end() -> None:
    form = forms.blank(TASK, {})
    names = [(one.title, [bound.field.name for bound in one.fields]) for one in form.sections(form.fields)]
    assert names == [
        ("", ["title"]),
        ("Size", ["width", "height"]),
        ("", ["colour", "tuning"]),
        ("Advanced", ["threads", "cache"]),
    ]


def test_what_is_folded_away_opens_for_an_error_inside(html: Any) -> None:
    assert not the(html(forms.blank(TASK, {})), "#folded-threads").has_attr("open")
    assert not the(html(refused(title="")), "#folded-threads").has_attr("open")
    page = html(refused(threads="99"))
    assert the(page, "#folded-threads").has_attr("open")
    assert the(page, "[autofocus]")["id"] == "threads-input"


def test_what_is_folded_away_in_a_model_opens_likewise(html: Any) -> None:
    fold = '[id="folded-tuning.seed"]'
    assert not the(html(forms.blank(TASK, {})), fold).has_attr("open")
    assert the(html(refused(**{"tuning.rounds": "1", "tuning.seed": "x"})), fold).has_attr("open")


def test_several_errors_are_listed_with_the_way_to_each(html: Any) -> None:
    page = html(refused(title="", height="0", threads="0"))
    links = the(page, ".problems").select("a")
    assert [link.text for link in links] == ["Title", "Height", "Threads"]
    assert all(page.select_one(f'[id="{str(link["href"])[1:]}"]') for link in links)
    assert the(page, "[autofocus]")["id"] == "title-input"


def test_one_error_is_said_where_it_is_alone(html: Any) -> None:
    page = html(refused(title=""))
    assert page.select(".problems") == []
    assert the(page, "#title-error")


def test_every_error_of_a_form_with_parts_can_be_gone_to(html: Any) -> None:
    task: Task = compounds.__dict__["__task__"]
    posted = {"receiver": "given", "people": "0", "people.0.phones": "0", "shape": "circle", "labels": "0"}
    _parameters, form = forms.read(task, posted)
    page = html(form, task)
    assert len(form.problems) == len(form.errors) > 10
    for bound, _words in form.problems:
        assert page.select_one(f'[id="{bound.field.name}-input"]'), bound.field.name
        assert page.select_one(f'[id="{bound.field.name}-error"]'), bound.field.name
