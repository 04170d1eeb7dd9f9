"""In the browser: a tab behind another one is right when it is shown, because it is right all the time."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.tabs import Chromium, Tab, tabbed
from tests.faults.scale import scale
from tests.support.chromium import ARGUMENTS, chromium_path
from tests.support.person import Person
from tests.support.waiting import until

HIDDEN_SECONDS = scale(120.0, 30.0)  # the server's ping comes every 25 s
COUNT_CONNECTIONS = (
    "window.opened = 0; document.addEventListener('htmx:ws:before:connection', () => window.opened += 1)"
)


@pytest.fixture
def chromium(browser: Browser, tmp_path: Path) -> Iterator[Chromium]:
    with tabbed([chromium_path() or browser.browser_type.executable_path, *ARGUMENTS], tmp_path) as one:
        yield one


@pytest.fixture
def tab(chromium: Chromium, ada: Person) -> Tab:
    """A page of hers that is live, in a tab behind another one."""
    chromium.keep(ada.url, {cookie.name: str(cookie.value) for cookie in ada.cookies})
    history = chromium.open(f"{ada.url}/runs")
    until(lambda: history.evaluate("document.querySelector('#live[data-state=live]') !== null"), "the page being live")
    history.evaluate(COUNT_CONNECTIONS)
    chromium.open("about:blank")
    until(lambda: history.evaluate("document.hidden"), "the page being hidden")
    return history


def shows(tab: Tab, results: list[str]) -> bool:
    """Return whether the tab shows these results of succeeded runs, the latest first."""
    found = "[...document.querySelectorAll('.run[data-state=succeeded] .result')].map(one => one.innerText.trim())"
    return bool(tab.evaluate(found) == results)


def test_a_hidden_tab_keeps_its_socket_and_is_right_before_it_is_shown(tab: Tab, ada: Person) -> None:
    ada.submit("reverse_text", text="one")
    until(lambda: shows(tab, ["eno"]), "the result, in a page that nobody sees")
    threading.Event().wait(HIDDEN_SECONDS)  # the fault itself: nothing happens for so long
    ada.submit("reverse_text", text="two")
    until(lambda: shows(tab, ["owt", "eno"]), "the result after that time")
    assert tab.evaluate("window.opened") == 0
    assert tab.evaluate("document.title").startswith("(2)")
    tab.show()
    until(lambda: not tab.evaluate("document.hidden"), "the page being seen")
    assert shows(tab, ["owt", "eno"])
    until(lambda: not tab.evaluate("document.title").startswith("("), "what is seen being counted no more")
