"""In the browser: every page, in both themes, narrow and wide, with the keyboard, and without JavaScript."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, Page, expect

from jobs.runs import lease
from jobs.runs.run import Run, State
from jobs.runs.webhook import Delivery, Webhook
from jobs.storage.database import utcnow
from jobs.values.outcome import Failure
from tests.browser.conftest import NewContext, address_of, log_out, new_address, open_live, register
from tests.support.people import make_run
from tests.support.stack import Stack
from tests.support.visitor import PASSWORD
from webapp.accounts import users

VISITORS_PAGES = ("/login", "/register?next=/runs", "/nowhere")
USERS_PAGES = (
    "/",
    "/tasks/random_number",
    "/tasks/reverse_text",
    "/tasks/estimate_pi",
    "/tasks/factorise",
    "/tasks/mandelbrot",
    "/runs",
    "/runs?state=failed",
    "/runs?before=1",
    "/api/docs",
    "/nowhere",
)


def runs_in_every_state(page: Page, stack: Stack) -> list[str]:
    """Create a run of the page's user in every state, and return their addresses."""
    page.goto("/tasks/reverse_text")
    page.get_by_label("Text").fill("a" * 900)
    page.get_by_role("button", name="Run", exact=True).click()
    page.locator(".run[data-state=succeeded]").wait_for()
    backend = stack.backend()
    with backend.database.read() as session:
        first = session.query(Run).order_by(Run.id.desc()).first()
    assert first is not None
    waiting = make_run(backend, first.owner_id, "gone_task", parameters={"text": "x" * 300, "number": 10**44})
    running, failed, cancelled = (make_run(backend, first.owner_id, "estimate_pi") for _ in range(3))
    again: dict[str, Any] = {"due_at": utcnow() + timedelta(minutes=30), "attempt": 2, "failures": 1, "losses": 1}
    retrying = make_run(backend, first.owner_id, error_kind="OvenError", error_message="the oven is cold", **again)
    held: dict[str, Any] = {"state": State.RUNNING, "started_at": utcnow(), "lease_token": "0" * 32}
    stopping = make_run(backend, first.owner_id, "estimate_pi", stop_requested_at=utcnow(), **held)
    lease.cancel(backend.database, cancelled.id, first.owner_id)
    for run in (running, failed):
        with backend.database.write() as session:
            row = session.get_one(Run, run.id)
            row.state, row.lease_token, row.progress, row.progress_note = State.RUNNING, "0" * 32, 0.4, "tile 4 of 10"
        run.lease_token = "0" * 32
    lease.fail(backend.database, failed, Failure("OvenError", "the oven is cold", "Traceback:\n  line 3"))
    backend.database.engine.dispose()
    return [f"/runs/{run.id}" for run in (first, waiting, running, failed, cancelled, retrying, stopping)]


def webhooks_in_every_state(page: Page, stack: Stack) -> list[str]:
    """Create webhooks of the page's user, with messages in every state, and return their addresses."""
    backend = stack.backend()
    with backend.database.write() as session:
        owner_id = session.query(Run).order_by(Run.id.desc()).limit(1).one().owner_id
        disabled: dict[str, Any] = {"disabled_at": utcnow(), "disabled_because": "failing"}
        waiting: dict[str, Any] = {"due_at": utcnow() + timedelta(days=1), "tries": 1}
        made = [
            Webhook(owner_id=owner_id, url=f"https://example.com/{'a' * 300}", encrypted_secrets="", **state)
            for state in ({}, disabled, {"failing_since": utcnow()})
        ]
        session.add_all(made)
        session.flush()
        values = {"owner_id": owner_id, "run_id": 1, "task": "reverse_text", "version": 3, "attempt": 1}
        for number, state in enumerate(({}, waiting, {"delivered_at": utcnow()})):
            told = {"message_id": f"msg_{number}", "event": "run.failed", "created_at": utcnow(), "problem": "x" * 200}
            session.add(Delivery(webhook_id=made[2].id, **values, **told, **state))
    backend.database.engine.dispose()
    return ["/account/webhooks", *(f"/account/webhooks/{one.id}" for one in made[1:])]


def violations(page: Page) -> list[str]:
    """Return what axe finds on the page in the light theme, and its contrasts in the dark one."""
    page.emulate_media(color_scheme="light", reduced_motion="reduce")  # no colour is on its way to another one
    found = Axe().run(page).response["violations"]
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    found += page.evaluate("axe.run({ runOnly: ['color-contrast'] })")["violations"]
    page.emulate_media(color_scheme="null", reduced_motion="null")
    return [f"{page.url}: {v['id']}: {v['help']}: {v['nodes'][0]['html'][:200]}" for v in found]


def sideways(page: Page, widths: Sequence[int] = (360,)) -> list[str]:
    """Return the widths of windows in which the page scrolls sideways."""
    before, found = page.viewport_size, []
    for width in widths:
        page.set_viewport_size({"width": width, "height": 800})
        if page.evaluate("document.documentElement.scrollWidth") > width:
            found.append(f"{page.url} scrolls sideways at {width} px")
    if before:
        page.set_viewport_size(before)
    return found


def faults(page: Page) -> list[str]:
    return violations(page) + sideways(page, (360, 768, 1440))


def test_every_page_is_accessible_in_both_themes_and_fits_every_window(page: Page, stack: Stack) -> None:
    found: list[str] = []
    for path in (*runs_in_every_state(page, stack), *webhooks_in_every_state(page, stack), *USERS_PAGES):
        page.goto(path)
        found += faults(page)
    page.goto("/api/docs")
    for fold in ("run", "run_factorise", "object-Run"):
        page.locator(f"#{fold} > summary").click()
    for form, wanted in (("run", ".field__error"), ("run_factorise", ".api__answer")):
        page.locator(f"#{form}-trial button").click()
        page.locator(f"#{form}-trial {wanted}").wait_for()
    found += faults(page)
    page.goto("/tasks/random_number")
    page.get_by_label("Minimum").fill("")
    page.get_by_role("button", name="Run", exact=True).click()
    page.locator(".field__error").wait_for()
    found += faults(page)
    page.context.clear_cookies()
    for path in VISITORS_PAGES:
        page.goto(path)
        found += faults(page)
    assert found == []


def test_somebody_registers_and_sees_the_tasks(context: BrowserContext) -> None:
    page, address = context.new_page(), new_address()
    page.goto("/register")
    page.get_by_label("E-mail address").fill(address)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Create account").click()
    page.wait_for_url("**/")
    expect(page.locator(".account__short")).to_have_text(address)


def test_everything_can_be_done_with_the_keyboard(page: Page) -> None:
    open_live(page, "/tasks/reverse_text")
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to main content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Text")).to_be_focused()
    page.keyboard.type("keys")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".run[data-state=succeeded]")).to_contain_text("syek")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Fill in an example")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_text("Run later")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Save these inputs")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_text("Use from a program")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator(".run__title")).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url("**/runs/*")


def test_everything_works_without_javascript(new_context: NewContext) -> None:
    page = register(new_context(java_script_enabled=False).new_page())
    page.goto("/tasks/random_number")
    page.get_by_label("Minimum").fill("9")
    page.get_by_label("Maximum").fill("8")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator("#maximum-error")).to_contain_text("must not be smaller")
    page.get_by_label("Maximum").fill("9")
    page.get_by_role("button", name="Run", exact=True).click()
    page.wait_for_url("**/runs/*")
    expect(page.locator("article[data-state=succeeded] .result")).to_have_text("9")  # the page looks again by itself
    page.get_by_role("button", name="Run again").click()
    page.goto("/runs")
    expect(page.locator(".run[data-state=succeeded]")).to_have_count(2)
    page.get_by_label("State").select_option("failed")
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.locator(".run")).to_have_count(0)
    log_out(page)


def test_the_dashboard_works_for_an_administrator(page: Page, stack: Stack) -> None:
    assert users.set_admin(stack.backend().database, address_of(page), True)
    page.goto("/")
    page.get_by_role("link", name="Administration").click()
    page.get_by_role("link", name="Queue").click()
    expect(page.get_by_role("cell", name="runs", exact=True)).to_be_visible()
    page.goto("/admin/rq/0/view/workers")
    expect(page.locator("tr", has_text="runs")).to_have_count(2)
