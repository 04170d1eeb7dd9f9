"""Markdown in results: rendered correctly, and harmless whoever wrote it."""

import time

import pytest
from bs4 import BeautifulSoup

from jobs import Markdown
from jobs.runs.backend import Backend
from jobs.runs.run import State
from jobs.values.json_value import json_value
from tests.browser.test_hostile_text import TEXTS
from tests.support.people import make_run, owner_id
from tests.support.visitor import Visitor, soup, the
from webapp.rendering.markdown import to_html

WITH_LINKS = (
    "[x](javascript:window.owned=1) [y](JAVASCRIPT:alert(1)) [z](data:text/html,<script>alert(1)</script>)",
    '<javascript:window.owned=1> ![i](http://example.com/owned.png) !["><img class=owned>](x)',
    '[x]: javascript:window.owned=1\n\n[x] [a](https://example.com/"onclick="window.owned=1)',
)


def test_a_text_is_shown_as_its_markdown_says() -> None:
    text = "# Title\n\n**strong** and `code`\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n1. one\n\n[there](https://example.com/a)\n"
    page = BeautifulSoup(to_html(text), "html.parser")
    assert the(page, "h3").text == "Title", "below the page's own headings"
    assert [cell.text for cell in page.select("td")] == ["1", "2"]
    assert (the(page, "strong").text, the(page, "code").text, the(page, "ol li").text.strip()) == (
        "strong",
        "code",
        "one",
    )
    assert the(page, "a").attrs == {"href": "https://example.com/a", "rel": ["noopener", "noreferrer", "nofollow"]}


@pytest.mark.parametrize(
    "text", [*TEXTS, *WITH_LINKS, *(f"`{one}`\n\n> {one}\n\n- {one}\n\n|{one}|\n|-|" for one in TEXTS)]
)
def test_nothing_in_a_text_becomes_more_than_text(text: str) -> None:
    page = BeautifulSoup(to_html(text), "html.parser")
    assert page.select(".owned, script, style, img, svg, iframe, form, input, base, meta, link, template") == []
    attributes = {name for tag in page.find_all(True) for name in tag.attrs}
    assert attributes <= {"href", "rel", "title", "start"}
    assert {str(link["href"]).partition(":")[0].lower() for link in page.select("a[href]")} <= {
        "http",
        "https",
        "mailto",
    }


def test_a_run_shows_the_markdown_that_its_task_returned(ada: Visitor, backend: Backend) -> None:
    kept = json_value(Markdown("**done** <b>b</b>"))
    run = make_run(backend, owner_id(backend, ada.email), state=State.SUCCEEDED, result=kept)
    for path in (f"/runs/{run.id}", "/runs"):
        assert (
            the(soup(ada.get(path)), ".prose").decode_contents().strip()
            == "<p><strong>done</strong> &lt;b&gt;b&lt;/b&gt;</p>"
        )


@pytest.mark.parametrize("text", ["![", "a|b\n-|-\n", "* a\n"])
def test_markdown_that_would_take_seconds_is_shown_as_text(text: str) -> None:
    long = text * (900_000 // len(text))
    begun = time.process_time()
    assert BeautifulSoup(to_html(long), "html.parser").select_one("pre").text == long  # type: ignore[union-attr]  # there
    assert time.process_time() - begun < 1


@pytest.mark.parametrize("value", [{"$markdown": 3}, {"$markdown": "a", "more": 1}, {"$markdown": ["a"]}])
def test_what_only_looks_like_it_is_shown_as_it_is(ada: Visitor, backend: Backend, value: object) -> None:
    run = make_run(backend, owner_id(backend, ada.email), state=State.SUCCEEDED, result=value)
    page = soup(ada.get(f"/runs/{run.id}"))
    assert page.select(".prose") == []
    assert "$markdown" in the(page, ".result, .definitions").text
