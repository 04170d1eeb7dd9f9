"""In the browser: stopping running and queued runs, in rows that keep their height."""

import re
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from jobs.runs.run import Run, State
from jobs.storage.database import utcnow
from tests.browser.conftest import NewContext, open_live, register, user_of, was_not_reloaded
from tests.support.people import make_run
from tests.support.stack import Stack

NOW = utcnow()
LATER = NOW + timedelta(minutes=5)
HELD = {"state": State.RUNNING, "lease_token": "0" * 32, "started_at": NOW}
ENDED = {"started_at": NOW, "ended_at": NOW + timedelta(seconds=3)}
AGAIN = {"attempt": 2, "failures": 1}
# Every face of a run whose content is one line.
FACES: dict[str, dict[str, Any]] = {
    "queued": {},
    "unreachable": {"push_failed_at": NOW, "due_at": LATER},
    "retrying": {"due_at": LATER, "error_kind": "OvenError", "error_message": "the oven is cold " * 20, **AGAIN},
    "working": HELD,
    "progressing": {**HELD, **AGAIN, "progress": 0.4, "progress_note": "tile 4 of 10 " * 10},
    "stopping": {**HELD, "stop_requested_at": NOW},
    "failed": {"state": State.FAILED, "error_kind": "OvenError", "error_message": "cold", **ENDED},
    "cancelled": {"state": State.CANCELLED},
    "stopped": {"state": State.CANCELLED, **ENDED},
    "succeeded": {"state": State.SUCCEEDED, "result": {"estimate": 3.1, "standard_error": 0.1}, **ENDED},
}
SAMPLES = {"samples": 1000}


def run_endlessly(page: Page) -> None:
    """Start a run that only a stop ends, and wait until it reports progress."""
    open_live(page, "/tasks/estimate_pi")
    page.get_by_label("Samples").fill("10000000000")
    page.get_by_role("button", name="Run", exact=True).click()
    page.locator(".run[data-state=running] .progress__share").wait_for()


def test_a_running_run_is_stopped_in_every_open_page(page: Page, context: BrowserContext) -> None:
    run_endlessly(page)
    own = open_live(context.new_page(), str(page.locator(".run__title").get_attribute("href")))
    other = open_live(context.new_page(), "/runs")
    other.get_by_role("button", name="Stop run").click()
    for tab in (page, own, other):
        expect(tab.locator("[data-state=cancelled] .run__note")).to_have_text(re.compile(r"Stopped after [\d.]+ m?s"))
        expect(tab.get_by_role("button", name="Stop run")).to_have_count(0)
        expect(tab.locator("#notices")).to_be_empty()
        assert was_not_reloaded(tab)


def test_many_clicks_on_stop_do_what_one_does(page: Page) -> None:
    run_endlessly(page)
    page.evaluate("for (let n = 0; n < 5; n++) document.querySelector('.run__action button').click()")
    expect(page.locator(".run[data-state=cancelled]")).to_contain_text("Stopped after")
    expect(page.locator("#notices")).to_be_empty()


def test_a_run_is_stopped_with_the_keyboard(page: Page) -> None:
    run_endlessly(page)
    page.locator(".run__title").focus()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Stop run")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".run[data-state=cancelled]")).to_contain_text("Stopped after")
    expect(page.locator("#announcer")).to_contain_text("cancelled")
    expect(page.locator(".run__title")).to_be_focused()


def test_a_run_is_stopped_without_javascript(new_context: NewContext) -> None:
    page = register(new_context(java_script_enabled=False).new_page())
    page.goto("/tasks/estimate_pi")
    page.get_by_label("Samples").fill("10000000000")
    page.get_by_role("button", name="Run", exact=True).click()
    page.wait_for_url("**/runs/*")
    page.get_by_role("button", name="Stop run").click()  # there when the page has looked again
    expect(page.locator("article[data-state=cancelled]")).to_contain_text("Stopped after")


def test_the_wait_for_a_retry_is_counted_down(page: Page, stack: Stack) -> None:
    backend = stack.backend()
    values: dict[str, Any] = {"error_kind": "OvenError", "error_message": "the oven is cold", **AGAIN}
    run = make_run(backend, user_of(page, backend), due_at=utcnow() + timedelta(minutes=2), **values)
    open_live(page, f"/runs/{run.id}")
    time = page.locator(f"#run-{run.id}-wait_estimate time")
    expect(time).to_have_text(re.compile(r"in 1 min \d+ s"))
    before = time.inner_text()
    expect(time).not_to_have_text(before)
    expect(page.locator("article")).to_contain_text("the oven is cold")
    page.get_by_role("button", name="Cancel run").click()
    expect(page.locator("article[data-state=cancelled]")).to_contain_text("Cancelled before it started again")
    assert was_not_reloaded(page)
    backend.database.engine.dispose()


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_a_row_has_one_height_whatever_its_run_is_up_to(new_context: NewContext, stack: Stack, width: int) -> None:
    page = register(new_context(viewport={"width": width, "height": 800}).new_page())
    backend = stack.backend()
    owner_id = user_of(page, backend)
    make_run(backend, owner_id, state=State.CANCELLED)  # a row at an end lacks a line, and is not measured
    runs = [make_run(backend, owner_id, "estimate_pi", parameters=SAMPLES, **values) for values in FACES.values()]
    make_run(backend, owner_id, state=State.CANCELLED)
    page.goto("/runs")
    heights = {
        face: page.locator(f"#run-{run.id}").evaluate("row => row.getBoundingClientRect().height")
        for face, run in zip(FACES, runs, strict=True)
    }
    with backend.database.write() as session:
        for run in runs:
            session.get_one(Run, run.id).state = State.CANCELLED
    backend.database.engine.dispose()
    assert len(set(heights.values())) == 1, heights
