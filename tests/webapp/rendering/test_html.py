"""HTML of tasks: only where it is marked as such, and only what can do nothing."""

import pytest

from jobs import Html
from jobs.runs.backend import Backend
from jobs.runs.run import Run, State
from jobs.values.json_value import json_value
from tests.browser.test_hostile_text import TEXTS
from tests.support.people import make_run, owner_id
from tests.support.visitor import Visitor, soup, the


def shown(backend: Backend, visitor: Visitor, result: object) -> Run:
    owner = owner_id(backend, visitor.email)
    return make_run(backend, owner, state=State.SUCCEEDED, result=json_value(result))


def test_html_is_shown_as_html_only_where_it_is_marked(ada: Visitor, backend: Backend) -> None:
    text = '<h3>Menu</h3><p>A <strong>soup</strong>, <a href="https://example.com" target=_top>there</a></p>'
    marked, plain = (shown(backend, ada, value) for value in (Html(text), text))
    result = the(soup(ada.get(f"/runs/{marked.id}")), ".run-full__result .prose")
    assert the(result, "strong").text == "soup"
    assert the(result, "a").attrs == {"href": "https://example.com", "rel": ["noopener", "noreferrer", "nofollow"]}
    assert the(soup(ada.get(f"/runs/{plain.id}")), ".run-full__result .result").text == text
    assert the(soup(ada.get("/runs")), f"#run-{marked.id} .run__result strong").text == "soup"


@pytest.mark.parametrize("text", TEXTS)
def test_of_hostile_html_nothing_is_left_that_acts(ada: Visitor, backend: Backend, text: str) -> None:
    run = shown(backend, ada, [Html(text), "text"])
    result = the(soup(ada.get(f"/runs/{run.id}")), ".result--several > .prose")
    assert {one.name for one in result.find_all(True)} <= {"a", "p", "br"}
    assert {name for one in result.find_all(True) for name in one.attrs} <= {"rel"}
