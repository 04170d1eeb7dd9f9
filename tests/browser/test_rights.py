"""Pages whose user's rights change: they reload and keep what was typed."""

from playwright.sync_api import Page, expect

from jobs.runs import Role, events, groups
from jobs.runs.backend import Backend
from tests.browser.conftest import open_live, user_of
from webapp.accounts import users


def test_a_form_goes_with_the_right_to_run_its_task_and_keeps_its_text_otherwise(page: Page, backend: Backend) -> None:
    user_id = user_of(page, backend)
    open_live(page, "/tasks/reverse_text").locator("#text-input").fill("typed before")
    users.set_role(backend.database, user_id, Role.MANAGER)
    events.publish_rights(backend.redis, user_id)
    expect(page.get_by_role("link", name="Groups")).to_be_visible()
    expect(page.locator("#text-input")).to_have_value("typed before")
    users.set_role(backend.database, user_id, Role.VIEWER)
    open_live(page, "/tasks/reverse_text")
    expect(page.locator("#task-form")).to_have_count(0)
    users.set_role(backend.database, user_id, Role.MEMBER)
    open_live(page, "/tasks/mandelbrot")
    groups.set_for_task(backend.database, "mandelbrot", [0])
    try:
        events.publish_rights(backend.redis, user_id)
        expect(page.get_by_role("heading", name="Not found")).to_be_visible()
    finally:
        groups.set_for_task(backend.database, "mandelbrot", None)
