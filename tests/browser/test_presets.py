"""In the browser: saving the inputs of a form as a preset, with a script and without one."""

from playwright.sync_api import expect

from tests.browser.conftest import NewContext, open_live, register, was_not_reloaded
from tests.browser.test_pages import faults


def test_inputs_are_saved_and_named_without_leaving_the_form(new_context: NewContext) -> None:
    page = open_live(register(new_context().new_page()), "/tasks/random_number")
    page.locator("#minimum-input").fill("17")
    page.locator("#maximum-input").fill("5")
    page.get_by_role("button", name="Save these inputs").click()
    expect(page.locator("#presets [role=alert]")).to_contain_text("Maximum: ")
    page.locator("#maximum-input").fill("50")
    page.get_by_role("button", name="Save these inputs").click()
    expect(page.get_by_label("Name")).to_be_focused()
    page.keyboard.press("Control+A")
    page.keyboard.type("Teens and more")
    page.get_by_label("Share with everybody").check()
    assert faults(page) == []
    page.keyboard.press("Enter")
    link = page.get_by_role("link", name="Teens and more")
    expect(link).to_be_visible()
    expect(page.locator("#minimum-input")).to_have_value("17")
    expect(page.locator(".run")).to_have_count(0)
    assert was_not_reloaded(page)
    page.get_by_role("link", name="Presets…").click()
    expect(page.get_by_text("Yours, shared")).to_be_visible()
    assert faults(page) == []


def test_inputs_are_saved_and_loaded_without_javascript(new_context: NewContext) -> None:
    page = register(new_context(java_script_enabled=False).new_page())
    page.goto("/tasks/random_number")
    page.locator("#minimum-input").fill("17")
    page.get_by_role("button", name="Save these inputs").click()
    page.get_by_text("Change", exact=True).click()
    page.get_by_label("Name").fill("Teens")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("link", name="Teens", exact=True).click()
    expect(page.locator("#minimum-input")).to_have_value("17")
