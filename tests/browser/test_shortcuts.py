"""In the browser: the command palette and the keyboard shortcuts."""

import re

from playwright.sync_api import Page, expect

from tests.browser.conftest import open_live
from tests.browser.test_pages import sideways, violations

SENT = {"Sec-Fetch-Site": "same-origin"}


def test_the_palette_leads_to_tasks_runs_and_pages(page: Page) -> None:
    open_live(page, "/tasks/reverse_text")
    palette, box = page.locator("#palette"), page.get_by_role("combobox", name="Go to")
    page.get_by_label("Text").fill("typed")
    page.keyboard.press("Control+k")
    expect(box).to_be_focused()
    expect(palette.get_by_role("option").first).to_have_attribute("aria-selected", "true")
    assert violations(page) == []
    assert sideways(page) == []
    page.keyboard.press("Escape")
    expect(palette).to_be_hidden()
    expect(page.get_by_label("Text")).to_be_focused()
    page.keyboard.press("Control+k")
    page.keyboard.type("factor")
    expect(palette.get_by_role("option", name="Factorise")).to_have_count(1)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    selected = palette.locator("[aria-selected=true]")
    expect(selected).to_have_count(1)
    expect(box).to_have_attribute("aria-activedescendant", str(selected.get_attribute("id")))
    page.keyboard.press("Enter")
    page.wait_for_url("**/tasks/factorise")


def test_single_keys_work_outside_of_fields_until_they_are_switched_off(page: Page) -> None:
    for text in ("one", "two"):
        page.request.post("/tasks/reverse_text", form={"text": text}, headers=SENT)
    open_live(page, "/runs")
    expect(page.locator(".run[data-state=succeeded]")).to_have_count(2)
    titles = page.locator(".run__title")
    for key, place in (("j", 0), ("j", 1), ("j", 1), ("k", 0), ("k", 0)):
        page.keyboard.press(key)
        expect(titles.nth(place)).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url("**/runs/*")
    address = page.url
    page.keyboard.press("r")
    page.wait_for_url(lambda url: url != address)
    page.locator("article[data-state=succeeded]").wait_for()
    page.keyboard.press("e")
    page.wait_for_url("**/tasks/reverse_text?run=*")
    field = page.get_by_label("Text")
    field.fill("")
    field.press_sequentially("/?rejk")
    expect(field).to_have_value("/?rejk")
    page.locator("h1").click()
    page.keyboard.press("?")
    listed = page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(listed).to_contain_text("Run again, on the page of a run")
    assert violations(page) == []
    listed.get_by_role("button", name="Switch single keys off").click()
    page.wait_for_load_state()
    page.keyboard.press("/")
    page.keyboard.press("?")
    expect(page.locator("dialog[open]")).to_have_count(0)
    page.keyboard.press("Control+k")
    expect(page.locator("#palette")).to_be_visible()


def test_control_and_enter_send_a_form_from_a_field_of_several_lines(page: Page) -> None:
    open_live(page, "/tasks/reverse_text")
    field = page.get_by_label("Text")
    assert field.evaluate("field => field.localName") == "textarea"
    field.fill("sent")
    field.press("Control+Enter")
    expect(page.locator(".run[data-state=succeeded]")).to_contain_text(re.compile("tnes"))
