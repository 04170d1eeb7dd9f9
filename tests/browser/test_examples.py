"""In the browser: an example is filled into a task's form, with a script and without one."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import NewContext, open_live, register, was_not_reloaded


@pytest.mark.parametrize("scripts", [True, False], ids=["script", "no-script"])
def test_an_example_is_filled_in_over_what_was_typed_and_refused(new_context: NewContext, scripts: bool) -> None:
    page = register(new_context(java_script_enabled=scripts).new_page())
    if scripts:
        open_live(page, "/tasks/random_number")
    else:
        page.goto("/tasks/random_number")
    minimum, maximum = page.locator("#minimum-input"), page.locator("#maximum-input")
    minimum.fill("9")
    maximum.fill("5")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator("#maximum-error")).to_be_visible()
    example = page.get_by_role("button", name="Fill in an example")
    example.press("Enter")
    expect(page.locator(".field__error")).to_have_count(0)
    expect(maximum).to_have_value("6")
    maximum.fill("7")
    example.press("Enter")
    expect(maximum).to_have_value("6")
    expect(minimum).to_have_value("1")
    if scripts:
        expect(example).to_be_focused()
        assert was_not_reloaded(page)
