"""In the browser: what was entered is there until it has been run, whatever happens to the session meanwhile."""

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import func, select

from jobs.runs.backend import Backend
from jobs.runs.run import Run
from tests.browser.conftest import Gallery, NewContext, address_of, log_out, open_live, register
from tests.support.visitor import PASSWORD


def count_runs(backend: Backend) -> int:
    with backend.database.read() as session:
        return session.scalars(select(func.count()).select_from(Run)).one()


def log_in(page: Page, email: str) -> None:
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()


def test_the_notice_of_a_failed_submit_outlasts_the_check_of_the_field_that_was_left(gallery: Gallery) -> None:
    page = gallery.open("scalars", watched=False)  # the browser reports what is cut as an error
    page.route("**/tasks/scalars", lambda route: route.abort())
    page.locator("#count-input").fill("12")
    with page.expect_response("**/tasks/scalars/check"):
        page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator("#count-error")).to_have_text("Must be 9 or less.")
    expect(page.locator("#notices")).to_contain_text("The server could not be reached")


def test_enter_pressed_twice_starts_one_run(new_context: NewContext, backend: Backend) -> None:
    page = open_live(register(new_context().new_page()), "/tasks/reverse_text")
    before = count_runs(backend)
    page.locator("#text-input").fill("hello")
    page.evaluate("for (let i = 0; i < 2; i++) document.getElementById('task-form').requestSubmit()")
    expect(page.locator(".run")).to_have_count(1)
    expect(page.locator("#task-submit")).to_be_enabled()
    page.locator("#text-input").fill("again")
    page.locator("#task-submit").click()
    expect(page.locator(".run")).to_have_count(2)
    assert count_runs(backend) == before + 2


@pytest.mark.parametrize("scripts", [True, False])
def test_a_form_of_another_account_starts_no_run_and_says_whose_it_would_be(
    new_context: NewContext, backend: Backend, scripts: bool
) -> None:
    context = new_context(java_script_enabled=scripts)
    old = register(context.new_page())
    old.goto("/tasks/reverse_text")
    old.locator("#text-input").fill("mine")
    new = context.new_page()
    new.goto("/")
    log_out(new)
    register(new)
    before = count_runs(backend)
    old.locator("#task-submit").click()
    expect(old.locator(".problems")).to_contain_text("You are now logged in as someone")
    expect(old.locator("#text-input")).to_have_value("mine")
    assert count_runs(backend) == before
    old.locator("#task-submit").click()
    expect(old.locator("[id^=run-][data-state]")).to_have_count(1)
    assert count_runs(backend) == before + 1


def test_a_session_that_ends_while_someone_types_costs_nothing(new_context: NewContext) -> None:
    context = new_context()
    page = open_live(register(context.new_page()), "/tasks/random_number")
    email = address_of(page)
    page.locator("#minimum-input").fill("17")
    page.locator("#maximum-input").fill("71")
    context.clear_cookies()
    page.get_by_role("button", name="Run", exact=True).click()
    page.wait_for_url("**/login?next=/tasks/random_number")
    log_in(page, email)
    page.wait_for_url("**/tasks/random_number")
    expect(page.locator("#minimum-input")).to_have_value("17")
    expect(page.locator("#maximum-input")).to_have_value("71")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator(".run")).to_have_count(1)


def test_what_someone_typed_is_not_shown_to_who_logs_in_next(new_context: NewContext) -> None:
    context = new_context()
    other = address_of(register(context.new_page()))
    context.clear_cookies()
    page = open_live(register(context.new_page()), "/tasks/random_number")
    page.locator("#minimum-input").fill("17")
    context.clear_cookies()
    page.get_by_role("button", name="Run", exact=True).click()
    page.wait_for_url("**/login?next=/tasks/random_number")
    log_in(page, other)
    page.wait_for_url("**/tasks/random_number")
    expect(page.locator("#minimum-input")).to_have_value("1")
    assert page.evaluate("sessionStorage.length") == 0


def test_an_example_gives_back_what_it_has_replaced(page: Page) -> None:
    open_live(page, "/tasks/random_number")
    expect(page.locator("#task-undo")).to_be_hidden()
    page.locator("#minimum-input").fill("17")
    page.get_by_role("button", name="Fill in an example").click()
    expect(page.locator("#maximum-input")).to_have_value("6")
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#minimum-input")).to_have_value("17")
    page.locator("#maximum-input").fill("5")
    page.keyboard.press("Tab")
    expect(page.locator("#maximum-error")).to_contain_text("must not be smaller")
