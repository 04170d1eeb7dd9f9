"""In the browser: one menu has all that is the account's, and works with the keyboard and without JavaScript."""

import re

from playwright.sync_api import Page, expect

from tests.browser.conftest import NewContext, log_out, open_live, register
from tests.browser.test_pages import sideways, violations

BACKGROUND = "getComputedStyle(document.documentElement).backgroundColor"
IN_KATHMANDU = """time => {
    const words = { dateStyle: "medium", timeStyle: "medium", timeZone: "Asia/Kathmandu" };
    return [time.title, new Intl.DateTimeFormat(undefined, words).format(new Date(time.dateTime))];
}"""
LIGHT, DARK = "rgb(248, 248, 246)", "rgb(20, 20, 22)"


def test_the_menu_opens_and_closes_with_the_keyboard(page: Page) -> None:
    open_live(page, "/tasks/reverse_text")
    button, menu = page.get_by_role("button", name="Account:"), page.locator("#account-menu")
    expect(menu).to_be_hidden()
    button.focus()
    page.keyboard.press("Enter")
    expect(menu).to_be_visible()
    page.keyboard.press("Tab")
    expect(menu.get_by_role("link", name="Account")).to_be_focused()
    assert violations(page) == []
    assert sideways(page, (320, 360, 768, 1440)) == []
    page.keyboard.press("Escape")
    expect(menu).to_be_hidden()
    expect(button).to_be_focused()


def test_a_theme_is_chosen_without_losing_what_was_typed_and_stays(page: Page) -> None:
    page.emulate_media(color_scheme="light")
    open_live(page, "/tasks/reverse_text")
    page.get_by_label("Text").fill("typed")
    assert page.evaluate(BACKGROUND) == LIGHT
    page.get_by_role("button", name="Account:").click()
    page.get_by_role("button", name="Dark").click()
    expect(page.get_by_role("button", name="Dark")).to_have_attribute("aria-pressed", "true")
    assert page.evaluate(BACKGROUND) == DARK
    expect(page.get_by_label("Text")).to_have_value("typed")
    page.goto("/runs")
    log_out(page)
    assert page.evaluate(BACKGROUND) == DARK


def test_the_menu_works_without_javascript(new_context: NewContext) -> None:
    page = register(new_context(java_script_enabled=False, color_scheme="dark").new_page())
    page.goto("/runs?state=failed")
    page.get_by_role("button", name="Account:").click()
    page.get_by_role("button", name="Light").click()
    expect(page).to_have_url(re.compile(r"/runs\?state=failed$"))
    expect(page.locator("html")).to_have_attribute("data-theme", "light")
    log_out(page)


def test_times_are_those_of_the_chosen_zone(page: Page) -> None:
    sent = {"Sec-Fetch-Site": "same-origin"}
    assert page.request.post("/account/preferences", form={"zone": "Asia/Kathmandu"}, headers=sent).ok
    page.request.post("/tasks/reverse_text", form={"text": "a"}, headers=sent)
    open_live(page, "/runs")
    shown, expected = page.locator(".run time").first.evaluate(IN_KATHMANDU)
    assert shown == expected
