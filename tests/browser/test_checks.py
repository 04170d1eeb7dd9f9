"""In the browser: a field that was left is checked by the server while the next one is filled in."""

from playwright.sync_api import Page, expect

from tests.browser.conftest import Gallery, NewContext, open_live, register, was_not_reloaded
from tests.browser.test_pages import violations


def wrong(page: Page) -> list[str]:
    """Return the fields with errors, which must be both visible and announced."""
    marked = page.locator("#task-form [aria-invalid=true]").all()
    shown = page.locator(".field__error").all()
    assert len(marked) == len(shown)
    return [str(one.get_attribute("id")).removesuffix("-error") for one in shown]


def test_leaving_a_wrong_field_shows_its_error_and_the_next_one_keeps_what_is_typed(gallery: Gallery) -> None:
    page = gallery.open("scalars")
    page.locator("#count-input").fill("12")
    page.keyboard.press("Tab")
    page.keyboard.type("19.9")
    expect(page.locator("#count-error")).to_have_text("Must be 9 or less.")
    page.keyboard.type("9")
    expect(page.locator("#price-input")).to_be_focused()
    expect(page.locator("#price-input")).to_have_value("19.99")
    assert wrong(page) == ["count"]
    assert "count-check" in str(page.locator("#count-input").get_attribute("aria-describedby"))
    assert violations(page) == []
    page.locator("#count-input").fill("3")
    page.keyboard.press("Tab")
    expect(page.locator(".field__error")).to_have_count(0)
    assert wrong(page) == []
    assert was_not_reloaded(page)


def test_typing_in_a_field_that_is_being_checked_loses_nothing(gallery: Gallery) -> None:
    page = gallery.open("scalars")
    code = page.locator("#code-input")
    code.fill("x")
    page.keyboard.press("Tab")
    code.focus()
    code.press_sequentially("yz", delay=20)
    expect(page.locator("#code-error")).to_be_visible()
    expect(code).to_have_value("xyz")
    expect(code).to_be_focused()


def test_a_comma_that_the_browser_leaves_out_of_a_number_is_said(gallery: Gallery) -> None:
    page = gallery.open("scalars")
    page.locator("#price-input").press_sequentially("1,5")
    expect(page.locator("#price-input")).to_have_value("15")
    expect(page.locator("#price-check")).to_contain_text("The comma was left out.")
    page.locator("#price-input").fill("1.5")
    page.keyboard.press("Tab")
    expect(page.locator("#price-check")).to_be_empty()


def test_the_last_of_many_changes_counts(gallery: Gallery) -> None:
    page = gallery.open("scalars")
    count = page.locator("#count-input")
    for value in ("12", "3", "0", "44", "5", "99"):
        count.fill(value)
        count.dispatch_event("change")
    expect(page.locator("#count-error")).to_have_text("Must be 9 or less.")
    count.fill("5")
    count.press("Tab")
    expect(page.locator(".field__error")).to_have_count(0)


def test_a_rule_of_two_parameters_is_looked_at_again_when_the_other_one_changes(new_context: NewContext) -> None:
    page = open_live(register(new_context().new_page()), "/tasks/random_number")
    minimum, maximum = page.locator("#minimum-input"), page.locator("#maximum-input")
    minimum.fill("50")
    maximum.fill("20")
    maximum.press("Tab")
    expect(page.locator("#maximum-error")).to_contain_text("must not be smaller")
    minimum.fill("10")
    minimum.press("Tab")
    expect(page.locator(".field__error")).to_have_count(0)
    assert wrong(page) == []


def test_after_a_refusal_what_is_mended_is_called_wrong_no_more(gallery: Gallery) -> None:
    page = gallery.open("choices")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator(".problems")).to_be_visible()
    count = page.locator(".field__error").count()
    page.get_by_role("radiogroup", name="Size").get_by_label("Small").check()
    expect(page.locator("#size-error")).to_have_count(0)
    expect(page.locator(".problems__title")).to_have_text(f"{count - 1} fields need attention")
    page.get_by_label("Day", exact=True).select_option("Friday")
    expect(page.locator("#day-error")).to_have_count(0)


def test_what_was_refused_stays_told_while_rows_come_and_fields_are_chosen(gallery: Gallery) -> None:
    page = gallery.open("compounds")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator(".problems")).to_be_visible()
    before = wrong(page)
    page.get_by_role("button", name="Add to People").click()
    expect(page.locator("[id='people.0.name-input']")).to_be_focused()
    assert wrong(page) == before
    page.get_by_label("Rectangle").first.check()
    expect(page.locator("[id='shape.height-input']")).to_be_visible()
    assert wrong(page) == [name for name in before if name != "shape"]
    expect(page.locator(".problems__title")).to_have_text(f"{len(before) - 1} fields need attention")


def test_rows_that_come_and_go_are_checked_like_any_field(gallery: Gallery) -> None:
    page = gallery.open("compounds")
    page.locator("[id='numbers.0-input']").fill("-3")
    page.keyboard.press("Tab")
    expect(page.locator("[id='numbers.0-error']")).to_have_text("Must be 0 or more.")
    page.get_by_role("button", name="Remove Numbers 1").click()
    expect(page.locator(".field__error")).to_have_count(0)


def test_what_a_browser_cannot_read_is_said_so_and_not_taken_for_nothing(gallery: Gallery) -> None:
    page = gallery.open("scalars")
    for name, half in (("most", "5e"), ("until", "03")):
        page.locator(f"#{name}-input").focus()
        page.keyboard.type(half)
    page.keyboard.press("Shift+Tab")
    page.locator("#note-input").focus()
    expect(page.locator("#most-error")).to_have_text("Enter a whole number.")
    expect(page.locator("#until-error")).to_have_text("Enter a date, such as 2026-01-31.")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator(".problems")).to_be_visible()
    expect(page.locator("#most-error")).to_have_text("Enter a whole number.")
    expect(page.locator("#until-error")).to_have_text("Enter a date, such as 2026-01-31.")
    page.locator("#most-input").focus()
    page.keyboard.type("1")  # what was typed is still there
    page.keyboard.press("Tab")
    expect(page.locator("#most-error")).to_have_count(0)
    expect(page.locator("#most-input")).to_have_value("5e1")
