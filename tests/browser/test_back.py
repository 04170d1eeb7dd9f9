"""In the browser: a page that is gone back to is shown from memory as it was left, and is live."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.conftest import log_out, open_live, register
from tests.support.chromium import ARGUMENTS, chromium_path
from tests.support.stack import Stack
from tests.support.waiting import until

LOG_IN = re.compile(r"/login\?next=")
SWITCHED_OFF_BY_PLAYWRIGHT = ["--disable-back-forward-cache"]


@pytest.fixture
def keeping(browser: Browser, stack: Stack) -> Iterator[BrowserContext]:
    """A context of a browser that keeps the pages that were left; the one without windows keeps none."""
    launched = browser.browser_type.launch(
        executable_path=chromium_path(), args=ARGUMENTS, ignore_default_args=SWITCHED_OFF_BY_PLAYWRIGHT
    )
    yield launched.new_context(base_url=stack.url)
    launched.close()


def go_back(page: Page, path: str) -> None:
    page.evaluate("history.back()")  # Playwright's own way back waits for a load that does not happen
    expect(page).to_have_url(re.compile(f"{path}$"))


def test_the_way_back_is_instant_and_live_until_its_user_logs_out(keeping: BrowserContext) -> None:
    page = register(keeping.new_page())
    open_live(page, "/tasks/reverse_text")
    page.evaluate("addEventListener('pageshow', ({ persisted }) => window.persisted = persisted)")
    page.get_by_label("Text").fill("half a thought")
    open_live(page, "/runs")
    go_back(page, "/tasks/reverse_text")
    until(lambda: page.evaluate("window.persisted === true"), "the page being restored")
    expect(page.locator("#live")).to_have_attribute("data-state", "live")
    expect(page.get_by_label("Text")).to_have_value("half a thought")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator(".run[data-state=succeeded]")).to_contain_text("thguoht a flah")
    log_out(page)
    page.evaluate("history.back()")
    expect(page).to_have_url(LOG_IN)
    expect(page.locator(".run")).to_have_count(0)


def test_a_page_whose_session_has_ended_meanwhile_is_not_shown_on_the_way_back(keeping: BrowserContext) -> None:
    page = register(keeping.new_page())
    open_live(page, "/runs")
    open_live(page, "/tasks/factorise")
    keeping.clear_cookies()
    page.evaluate("history.back()")
    expect(page).to_have_url(LOG_IN)
