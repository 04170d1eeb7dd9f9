"""HTML of tasks: only where it is marked as such, and only what can do nothing."""

import time

import pytest
from markupsafe import escape

from jobs import Html
from jobs.runs.backend import Backend
from jobs.runs.run import Run, State
from jobs.values.json_value import json_value
from tests.browser.test_hostile_text import TEXTS
from tests.support.people import make_run, owner_id
from tests.support.visitor import Visitor, soup, the
from webapp.rendering.markdown import clean
from webapp.rendering.plain_html import FEW_TAGS, is_quickly_cleaned


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


# Each took seconds, and up to minutes with five times its length, while nobody else was answered.
DEEP = (
    *("<ol><li>", "<div>", "<b><i><p>", "<div><x></div>", '<div><br a="></div><br b="">', "<table><tr><td>"),
    *("<div></x>", "<span><li><div></span>", '<br x" a="><div></div><br y">', "<div><!--</div>-->", "<style><div>"),
)


@pytest.mark.parametrize("text", DEEP)
def test_html_that_would_take_minutes_is_shown_as_text(text: str) -> None:
    long = text * (100_000 // len(text))
    begun = time.process_time()
    shown = clean(long)
    assert time.process_time() - begun < 1
    assert shown.endswith(f"<pre>{escape(long)}</pre>")


def test_a_large_table_is_shown_as_a_table() -> None:
    cells = "<tr><th>1</th>" + '<td class="a b" style="x: y">1 &lt; 2</td>' * 10 + "<td>no end<td>needed</tr>\n"
    page = clean(f"<style scoped>.a {{ }}</style><table border='1'><tbody>{cells * 1000}</tbody></table><br><p>a<p>b")
    assert page.count("<td>1 &lt; 2</td>") == 10_000


@pytest.mark.parametrize("text", ["<a x", "<a", "<a x=", '<a x="', "<a \t", "< ", "<a x=1 "])
def test_tags_without_an_end_are_looked_through_once(text: str) -> None:
    begun = time.process_time()
    is_quickly_cleaned(text * 50_000)
    is_quickly_cleaned("<" * FEW_TAGS + text + text[-1] * 500_000)
    assert time.process_time() - begun < 1


@pytest.mark.parametrize("text", TEXTS)
def test_of_hostile_html_nothing_is_left_that_acts(ada: Visitor, backend: Backend, text: str) -> None:
    run = shown(backend, ada, [Html(text), "text"])
    result = the(soup(ada.get(f"/runs/{run.id}")), ".result__part > .prose")
    assert {one.name for one in result.find_all(True)} <= {"a", "p", "br"}
    assert {name for one in result.find_all(True) for name in one.attrs} <= {"rel"}
