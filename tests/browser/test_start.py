"""In the browser: the start page's filter and pins, while a run comes in."""

from playwright.sync_api import Page, expect

from jobs.runs.backend import Backend
from tests.browser.conftest import open_live, user_of, was_not_reloaded
from tests.support.people import make_run


def test_the_filter_finds_as_one_types_and_stays_while_pins_and_runs_change(page: Page, backend: Backend) -> None:
    open_live(page, "/")
    shown = page.locator(".task:visible .task__title")
    page.get_by_label("Filter tasks").type("rand NUM")
    expect(shown).to_have_text(["Random number"])
    expect(page.get_by_role("status").filter(has_text="1 task found.")).to_be_visible()
    page.get_by_role("button", name="Pin Random number").focus()
    page.keyboard.press("Enter")
    pin = page.locator("#pin-random_number")
    expect(pin).to_have_attribute("aria-pressed", "true")
    expect(pin).to_be_focused()
    expect(shown).to_have_text(["Random number"])
    make_run(backend, user_of(page, backend), "random_number", parameters={})
    expect(page.locator(".latest .run")).to_have_count(1)
    page.get_by_label("Filter tasks").fill("zzz")
    expect(page.get_by_role("status").filter(has_text="No tasks found. Use other words.")).to_be_visible()
    page.get_by_label("Filter tasks").fill("")
    expect(shown).not_to_have_count(1)
    expect(page.get_by_role("link", name="Random number", exact=True).first).to_be_visible()
    assert was_not_reloaded(page)
