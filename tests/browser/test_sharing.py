"""Sharing in the browser: its pages, and open pages of a run that is not shared any more."""

from playwright.sync_api import expect

from tests.browser.conftest import NewContext, address_of, open_live, register
from tests.browser.test_pages import faults

WITHIN_MS = 15_000


def test_a_run_is_shared_and_leaves_the_open_pages_of_others_again(new_context: NewContext) -> None:
    page = register(new_context(permissions=["clipboard-read", "clipboard-write"]).new_page())
    friend, stranger = register(new_context().new_page()), new_context().new_page()
    open_live(page, "/tasks/reverse_text").get_by_label("Text").fill("olleh")
    page.get_by_role("button", name="Run", exact=True).click()
    page.locator(".run[data-state=succeeded] .run__title").click()
    page.wait_for_url("**/runs/*")
    expect(page.locator("#live")).to_have_attribute("data-state", "live")
    page.get_by_role("button", name="Copy link").click()
    expect(page.locator("#announcer")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == page.url
    page.get_by_role("link", name="Share", exact=True).click()
    share = page.get_by_role("button", name="Share", exact=True)
    page.get_by_label("E-mail address").fill(address_of(friend))
    share.click()
    expect(page.locator(".accounts__one")).to_have_count(1)
    page.get_by_label("Whoever has a link").check()
    expect(page.get_by_label("E-mail address")).to_be_hidden()
    share.click()
    stranger.goto(page.locator(".tokens__secret").inner_text())
    expect(stranger.locator(".run-full .result")).to_contain_text("hello")
    friend.goto("/runs/shared")
    found = [one for seen in (page, friend, stranger) for one in faults(seen)]
    friend.locator(".run__title").click()
    expect(friend.locator("#live")).to_have_attribute("data-state", "live")
    found += faults(friend)
    assert found == []
    page.goto(page.url)
    for _each in range(2):
        page.get_by_role("button", name="Revoke").first.click()
    expect(page.get_by_text("Only you see this run.")).to_be_visible()
    expect(friend.get_by_text("There is no such run, or it is private.")).to_be_visible(timeout=WITHIN_MS)
    expect(stranger.get_by_text("This link doesn't work")).to_be_visible(timeout=WITHIN_MS)
