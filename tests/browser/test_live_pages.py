"""In the browser: results appear on every open page of their owner, and on no other user's."""

import re

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import NewContext, open_live, register, was_not_reloaded

TASKS = {
    "random_number": ({"Minimum": "5", "Maximum": "5"}, "5"),
    "reverse_text": ({"Text": "dumbwaiter"}, "retiawbmud"),
    "estimate_pi": ({"Samples": "300000"}, "π ≈ 3.1"),
    "factorise": ({"Number": "360360360360360360360360360360360360"}, "×"),
}


@pytest.mark.parametrize("task", TASKS)
def test_a_result_comes_up_without_a_reload_in_two_tabs(page: Page, context: BrowserContext, task: str) -> None:
    values, result = TASKS[task]
    other = open_live(context.new_page(), "/runs")
    open_live(page, f"/tasks/{task}")
    for label, value in values.items():
        page.get_by_label(label).fill(value)
    page.get_by_role("button", name="Run", exact=True).click()
    for tab in (page, other):
        row = tab.locator("#runs-list > .run[data-state=succeeded]")
        expect(row).to_contain_text(result)
        assert was_not_reloaded(tab)
    for label, value in values.items():
        expect(page.get_by_label(label)).to_have_value(value)


def test_a_runs_own_page_follows_it_to_the_end(page: Page, context: BrowserContext) -> None:
    open_live(page, "/tasks/estimate_pi")
    page.get_by_label("Samples").fill("4000000")
    page.get_by_role("button", name="Run", exact=True).click()
    link = page.locator(".run__title")
    own = open_live(context.new_page(), str(link.get_attribute("href")))
    expect(own.locator("article[data-state=running] progress[value]")).to_be_visible()
    expect(own.locator("article[data-state=succeeded] .result")).to_contain_text("π ≈ 3.1")
    expect(own.locator("#announcer")).to_contain_text("succeeded")
    expect(own.get_by_role("button", name="Run again")).to_be_visible()
    assert was_not_reloaded(own)


def test_another_user_sees_nothing_of_it(page: Page, new_context: NewContext) -> None:
    stranger = register(new_context().new_page())
    open_live(stranger, "/runs")
    open_live(page, "/tasks/reverse_text")
    page.get_by_label("Text").fill("private")
    page.get_by_role("button", name="Run", exact=True).click()
    href = str(page.locator(".run[data-state=succeeded] .run__title").get_attribute("href"))
    expect(stranger.locator(".run")).to_have_count(0)
    response = stranger.goto(href)
    assert response is not None
    assert response.status == 404


def test_an_error_is_shown_at_its_field_until_it_is_corrected(page: Page) -> None:
    open_live(page, "/tasks/random_number")
    page.get_by_label("Minimum").fill("10")
    page.get_by_label("Maximum").fill("5")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator("#maximum-error")).to_contain_text("must not be smaller")
    expect(page.get_by_label("Minimum")).to_have_value("10")
    expect(page.locator(".run")).to_have_count(0)
    page.get_by_label("Maximum").fill("10")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator(".run[data-state=succeeded]")).to_contain_text("10")
    expect(page.locator("#maximum-error")).to_have_count(0)
    assert was_not_reloaded(page)


def test_live_updates_do_not_disturb_typing(page: Page) -> None:
    open_live(page, "/tasks/estimate_pi")
    page.get_by_label("Samples").fill("3000000")
    page.get_by_role("button", name="Run", exact=True).click()
    page.locator(".run[data-state=running]").wait_for()
    page.get_by_label("Samples").press_sequentially("0")
    page.locator(".run[data-state=succeeded]").wait_for()
    expect(page.get_by_label("Samples")).to_be_focused()
    expect(page.get_by_label("Samples")).to_have_value("30000000")


def test_a_row_does_not_jump_while_its_run_moves_on(page: Page) -> None:
    open_live(page, "/tasks/estimate_pi")
    page.get_by_label("Samples").fill("3000000")
    page.evaluate(
        """() => {
            window.heights = new Set();
            const look = () => {
                const row = document.querySelector(".run");
                if (row) window.heights.add(row.getBoundingClientRect().height);
                requestAnimationFrame(look);
            };
            look();
        }"""
    )
    page.get_by_role("button", name="Run", exact=True).click()
    page.locator(".run[data-state=succeeded]").wait_for()
    assert page.evaluate("window.heights.size") == 1


def test_an_older_version_never_replaces_a_newer_one(page: Page) -> None:
    open_live(page, "/tasks/reverse_text")
    page.get_by_label("Text").fill("newest")
    page.get_by_role("button", name="Run", exact=True).click()
    row = page.locator(".run[data-state=succeeded]")
    row.wait_for()
    run = str(row.get_attribute("id"))
    old = f'<li id="{run}" class="run" data-state="queued" data-version="1">old</li>'
    for text in (
        f'<hx-partial hx-target="#{run}" hx-swap="outerMorph">{old}</hx-partial>',
        f'<hx-partial hx-target="#runs-list" hx-swap="afterbegin">{old}</hx-partial>',
        f'<hx-partial hx-target="#runs-list" hx-swap="innerMorph">{old}</hx-partial>',
    ):
        page.evaluate("text => htmx.swap({sourceElement: document.body, swap: 'none', text})", text)
        expect(page.locator(f"#{run}")).to_have_count(1)
        expect(page.locator(f"#{run}")).to_have_attribute("data-state", "succeeded")


def test_a_waiting_run_is_cancelled_in_place(page: Page) -> None:
    # Both workers are busy, so that a third run waits.
    open_live(page, "/tasks/estimate_pi")
    page.get_by_label("Samples").fill("10000000000")
    for count in (1, 2, 3):
        page.get_by_role("button", name="Run", exact=True).click()
        expect(page.locator(".run")).to_have_count(count)
    waiting = page.locator(".run[data-state=queued]").first
    waiting.get_by_role("button", name="Cancel").click()
    expect(page.locator(".run[data-state=cancelled]")).to_have_text(re.compile("Cancelled before it started"))
    for count in (2, 3):
        page.get_by_role("button", name="Stop run").first.click()
        expect(page.locator(".run[data-state=cancelled]")).to_have_count(count)
    assert was_not_reloaded(page)
