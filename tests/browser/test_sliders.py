"""In the browser: a slider beside a number's field, by hand and by keyboard, and its absence without a script."""

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import NewContext, open_live, register, was_not_reloaded


@pytest.fixture
def form(page: Page) -> Page:
    return open_live(page, "/tasks/mandelbrot")


def field(page: Page) -> Locator:
    return page.get_by_role("spinbutton", name="Zoom")


def slider(page: Page) -> Locator:
    return page.get_by_role("slider", name="Zoom")


def test_field_and_slider_move_together(form: Page) -> None:
    expect(slider(form)).to_have_value("18")
    field(form).focus()
    form.keyboard.press("Tab")
    expect(slider(form)).to_be_focused()
    form.keyboard.press("End")
    expect(field(form)).to_have_value("36")
    form.keyboard.press("ArrowLeft")
    expect(field(form)).to_have_value("35.9")
    field(form).fill("4")
    expect(slider(form)).to_have_value("4")
    box = slider(form).bounding_box()
    assert box
    form.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(field(form)).to_have_value("18")


def test_the_field_may_be_finer_than_the_slider_and_empty(form: Page) -> None:
    field(form).fill("3.14159")
    expect(slider(form)).to_have_value("3.1")
    expect(field(form)).to_have_value("3.14159")
    field(form).fill("")
    expect(slider(form)).to_have_value("3.1")


def test_both_keep_what_was_entered_when_the_form_comes_back(form: Page) -> None:
    field(form).fill("99")
    form.get_by_role("button", name="Run", exact=True).click()
    expect(form.locator("#zoom-error")).to_have_text("Must be 36 or less.")
    expect(field(form)).to_have_value("99")
    expect(slider(form)).to_have_value("36")
    field(form).fill("2.5")
    form.get_by_role("spinbutton", name="Iterations").fill("50")
    form.get_by_role("button", name="Run", exact=True).click()
    expect(form.locator(".run__parameters").first).to_contain_text("Zoom: 2.5, Iterations: 50")
    expect(field(form)).to_have_value("2.5")
    expect(slider(form)).to_have_value("2.5")
    assert was_not_reloaded(form)


def test_without_javascript_there_is_the_field_alone(new_context: NewContext) -> None:
    page = register(new_context(java_script_enabled=False).new_page())
    page.goto("/tasks/mandelbrot")
    expect(slider(page)).to_have_count(0)
    expect(page.locator("#field-zoom .slider")).to_be_hidden()
    field(page).fill("1")
    page.get_by_role("spinbutton", name="Iterations").fill("50")
    page.get_by_role("button", name="Run", exact=True).click()
    page.wait_for_url("**/runs/*")
    expect(page.locator("article[data-state=succeeded] .run-full__result img")).to_be_visible()
