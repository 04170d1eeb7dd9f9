"""In the browser: every open page announces runs that have ended."""

import re

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import open_live
from tests.browser.test_connection import HIDE, submit_elsewhere
from tests.support.stack import Stack


@pytest.fixture
def elsewhere(page: Page) -> Page:
    """A page that shows no run of the task that is submitted."""
    return open_live(page, "/tasks/factorise")


def test_a_run_that_ends_is_told_on_a_page_that_does_not_show_it(
    elsewhere: Page, context: BrowserContext, stack: Stack
) -> None:
    submit_elsewhere(context, stack, elsewhere, "hello")
    toast = elsewhere.locator(".toast")
    expect(toast).to_contain_text("Succeeded")
    expect(toast).to_contain_text("Reverse text")
    toast.get_by_role("button", name="Dismiss").click()
    expect(toast).to_have_count(0)
    submit_elsewhere(context, stack, elsewhere, "again")
    toast.get_by_role("link").click()
    expect(elsewhere).to_have_url(re.compile(r"/runs/\d+$"))
    expect(elsewhere.locator("#live")).to_have_attribute("data-state", "live")
    expect(elsewhere.locator(".toast")).to_have_count(0)


def test_a_page_that_shows_the_run_needs_no_toast(page: Page, context: BrowserContext, stack: Stack) -> None:
    open_live(page, "/runs")
    page.evaluate("""() => {
        window.toasts = 0;
        new MutationObserver(() => window.toasts += 1).observe(document.getElementById("toasts"), { childList: true });
    }""")
    submit_elsewhere(context, stack, page, "hello")
    expect(page.locator(".run[data-state=succeeded]")).to_have_count(1)
    open_live(context.new_page(), "/runs")
    assert page.evaluate("window.toasts") == 0


def test_a_hidden_page_counts_in_its_title_until_it_is_looked_at(
    elsewhere: Page, context: BrowserContext, stack: Stack
) -> None:
    elsewhere.evaluate(HIDE, True)
    for text in ("one", "two"):
        submit_elsewhere(context, stack, elsewhere, text)
    expect(elsewhere).to_have_title(re.compile(r"^\(2\) Factorise"))
    expect(elsewhere.locator(".toast")).to_have_count(2)
    elsewhere.evaluate(HIDE, False)
    expect(elsewhere).to_have_title(re.compile("^Factorise"))


def test_toasts_disappear_and_stay_few(page: Page, context: BrowserContext, stack: Stack) -> None:
    page.clock.install()
    open_live(page, "/tasks/factorise")
    for number in range(6):
        submit_elsewhere(context, stack, page, f"number {number}")
    expect(page.locator(".toast")).to_have_count(4)
    page.clock.run_for(11_000)
    expect(page.locator(".toast")).to_have_count(0)


@pytest.fixture
def notifying(context: BrowserContext, page: Page) -> Page:
    """A page whose browser lets the site notify, and in which notifications are kept instead of shown."""
    context.add_init_script("""
        window.told = [];
        window.Notification = class {
            static permission = "default";
            static async requestPermission() { return (this.permission = "granted"); }
            constructor(words) { window.told.push(words); }
        };
    """)
    return open_live(page, "/runs")


def test_who_asks_for_it_is_notified_while_the_page_is_hidden(
    notifying: Page, context: BrowserContext, stack: Stack
) -> None:
    notifying.get_by_role("button", name="Account:").click()
    button = notifying.get_by_role("switch", name="Notify me when a run ends")
    expect(button).not_to_be_checked()
    button.click()
    expect(button).to_be_checked()
    submit_elsewhere(context, stack, notifying, "seen")
    expect(notifying.locator(".run[data-state=succeeded]")).to_have_count(1)
    notifying.evaluate(HIDE, True)
    submit_elsewhere(context, stack, notifying, "unseen")
    expect(notifying.locator(".run[data-state=succeeded]")).to_have_count(2)
    (words,) = notifying.evaluate("window.told")
    assert re.fullmatch(r"Reverse text #\d+: Succeeded", words)
    notifying.evaluate(HIDE, False)
    button.click()
    expect(button).not_to_be_checked()
