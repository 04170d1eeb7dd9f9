"""In the browser: a page shows the state of its connection, and catches up after every interruption."""

import random
import re
import time
from collections.abc import Iterator
from functools import partial

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from tests.browser.conftest import NewContext, log_out, open_live, register, was_not_reloaded
from tests.browser.relay import Relay
from tests.faults.scale import scale
from tests.support.stack import Stack
from tests.support.waiting import until


@pytest.fixture
def relay(stack: Stack) -> Iterator[Relay]:
    one = Relay(stack.port)
    yield one
    one.stop()


@pytest.fixture
def relayed(new_context: NewContext, relay: Relay) -> BrowserContext:
    """A context that reaches the server through the relay; the browser reports what is cut as errors."""
    return new_context(watched=False, base_url=f"http://127.0.0.1:{relay.port}")


def signed_in(context: BrowserContext) -> dict[str, str]:
    """Return headers that sign in requests outside the relay as the same user."""
    return {"Cookie": "; ".join(f"{cookie['name']}={cookie['value']}" for cookie in context.cookies())}


def submit_elsewhere(context: BrowserContext, stack: Stack, page: Page, text: str) -> None:
    """Submit as the same user, past the relay."""
    response = page.request.post(
        f"{stack.url}/tasks/reverse_text", form={"text": text}, headers={**signed_in(context), "Origin": stack.url}
    )
    assert response.ok


def test_a_cut_socket_comes_back_and_the_page_is_right(relayed: BrowserContext, relay: Relay, stack: Stack) -> None:
    page = register(relayed.new_page())
    open_live(page, "/runs")
    relay.closed = True
    relay.cut()
    expect(page.locator("#live")).to_have_attribute("data-state", "offline")
    expect(page.get_by_text("Connection lost. Reconnecting… What you see is from")).to_be_visible()
    expect(page.locator("#seen-at")).to_have_text(re.compile(r"\d:\d\d"))
    submit_elsewhere(relayed, stack, page, "while away")
    relay.closed = False
    expect(page.locator("#live")).to_have_attribute("data-state", "live")
    expect(page.locator(".run[data-state=succeeded]")).to_contain_text("yawa elihw")
    assert was_not_reloaded(page)


# What a page shows, or would show if it were loaded now, without what scripts add to it.
NORMALISED = """async address => {
    const tidy = list => {
        for (const time of list.querySelectorAll("time")) { time.textContent = ""; time.removeAttribute("title"); }
        for (const each of [list, ...list.querySelectorAll("*")]) each.removeAttribute("data-htmx-powered");
        return list.outerHTML.replace(/>\\s+/g, ">").replace(/\\s+</g, "<");
    };
    if (!address) return tidy(document.getElementById("runs").cloneNode(true));
    const text = await (await fetch(address)).text();
    return tidy(new DOMParser().parseFromString(text, "text/html").getElementById("runs"));
}"""


LISTINGS = ("/runs", "/runs?state=succeeded", "/runs?state=queued", "/")


def is_right(page: Page, address: str) -> bool:
    return bool(page.evaluate(NORMALISED, "") == page.evaluate(NORMALISED, address))


def test_after_many_cuts_every_page_is_what_the_server_would_show(
    relayed: BrowserContext, relay: Relay, stack: Stack
) -> None:
    dice = random.Random(7)  # chance here guards nothing
    page = register(relayed.new_page())
    pages = [open_live(page, "/runs"), *(open_live(relayed.new_page(), address) for address in LISTINGS[1:])]
    over = time.monotonic() + scale(60.0, 15.0)
    number = 0
    while time.monotonic() < over:
        submit_elsewhere(relayed, stack, page, f"number {(number := number + 1)}")
        page.wait_for_timeout(dice.uniform(0, 2000))  # the fault itself: a cut comes at any moment
        relay.cut()
    expect(page.locator(".run[data-state=succeeded]")).to_have_count(min(number, 25))
    for address, each in zip(LISTINGS, pages, strict=True):
        expect(each.locator("#live")).to_have_attribute("data-state", "live")
        until(partial(is_right, each, address), f"{address} being right")
        assert was_not_reloaded(each)


def test_a_form_that_reaches_nobody_says_so_and_keeps_what_was_typed(relayed: BrowserContext, relay: Relay) -> None:
    page = register(relayed.new_page())
    open_live(page, "/tasks/reverse_text")
    page.get_by_label("Text").fill("precious")
    relay.closed = True
    relay.cut()
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator("#notices")).to_contain_text("could not be reached")
    expect(page.get_by_label("Text")).to_have_value("precious")
    relay.closed = False
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator(".run[data-state=succeeded]")).to_contain_text("suoicerp")
    expect(page.locator("#notices")).to_be_empty()


def test_where_no_socket_gets_through_the_page_asks_and_says_so(page: Page) -> None:
    page.route_web_socket("**/live?**", lambda socket: socket.close(code=1011))
    page.goto("/tasks/reverse_text")
    expect(page.locator("#live")).to_have_attribute("data-state", "polling")
    expect(page.locator("#live")).to_contain_text("Checking every 5 s")
    page.get_by_label("Text").fill("by and by")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator(".run[data-state=succeeded]")).to_contain_text("yb dna yb")
    expect(page.locator("#live")).to_have_attribute("data-state", "polling")
    page.context.clear_cookies()
    expect(page.locator("#live")).to_have_attribute("data-state", "signed-out")


def test_where_a_socket_opens_and_brings_nothing_the_page_asks(page: Page) -> None:
    page.clock.install()
    page.route_web_socket("**/live?**", lambda socket: None)
    page.goto("/tasks/reverse_text")
    expect(page.locator("#live")).to_have_attribute("data-state", "connecting")
    page.clock.run_for(11_000)
    expect(page.locator("#live")).to_have_attribute("data-state", "polling")


def test_a_connection_that_falls_silent_is_not_taken_for_a_live_one(
    relayed: BrowserContext, relay: Relay, stack: Stack
) -> None:
    page = register(relayed.new_page())
    page.clock.install()
    open_live(page, "/runs")
    relay.silent = True
    submit_elsewhere(relayed, stack, page, "unheard")
    page.clock.run_for(70_000)
    expect(page.locator("#live")).not_to_have_attribute("data-state", "live")
    page.clock.run_for(25_000)
    expect(page.locator("#live")).to_have_attribute("data-state", "offline")
    relay.silent = False
    relay.cut()
    expect(page.locator("#live")).to_have_attribute("data-state", "live")
    expect(page.locator(".run[data-state=succeeded]")).to_contain_text("draehnu")


def test_a_page_that_comes_back_is_sent_only_what_it_has_not(
    relayed: BrowserContext, relay: Relay, stack: Stack
) -> None:
    page = register(relayed.new_page())
    submit_elsewhere(relayed, stack, page, "old")
    open_live(page, "/runs")
    expect(page.locator(".run[data-state=succeeded]")).to_have_count(1)
    frames: list[str] = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: frames.append(str(frame))))
    relay.closed = True
    relay.cut()
    expect(page.locator("#live")).to_have_attribute("data-state", "offline")
    submit_elsewhere(relayed, stack, page, "new")
    runs = f"{stack.url}/live/changes"
    until(lambda: "wen" in page.request.get(runs, headers=signed_in(relayed)).text(), "the end of the run")
    relay.closed = False
    expect(page.locator(".run[data-state=succeeded]")).to_have_count(2)
    assert "wen" in frames[0]
    assert "dlo" not in frames[0]
    assert "dlo" in page.locator(".run").nth(1).inner_text()


def test_a_page_on_a_machine_that_slept_reconnects(page: Page, context: BrowserContext, stack: Stack) -> None:
    page.clock.install()
    open_live(page, "/runs")
    with page.expect_websocket():
        page.clock.fast_forward("03:00:00")
        page.clock.run_for(2000)
    expect(page.locator("#live")).to_have_attribute("data-state", "live")


HIDE = """hidden => {
    Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
    document.dispatchEvent(new Event("visibilitychange"));
}"""


def test_a_hidden_tab_that_lost_its_socket_is_right_when_it_is_shown_again(
    relayed: BrowserContext, relay: Relay, stack: Stack
) -> None:
    page = register(relayed.new_page())
    open_live(page, "/runs")
    page.evaluate(HIDE, True)
    relay.closed = True
    relay.cut()
    expect(page.locator("#live")).not_to_have_attribute("data-state", "live")
    submit_elsewhere(relayed, stack, page, "unseen")
    relay.closed = False
    page.evaluate(HIDE, False)
    expect(page.locator("#live")).to_have_attribute("data-state", "live")
    expect(page.locator(".run[data-state=succeeded]")).to_contain_text("neesnu")
    assert was_not_reloaded(page)


def test_a_page_is_live_however_late_its_own_scripts_arrive(page: Page) -> None:
    held: list[Route] = []
    page.route("**/scripts.js*", lambda route: held.append(route))
    page.goto("/runs", wait_until="commit")
    until(lambda: page.evaluate("typeof htmx") == "object" and held, "htmx being there before the scripts")
    page.evaluate("new Promise(done => setTimeout(done))")
    held[0].continue_()
    expect(page.locator("#live")).to_have_attribute("data-state", "live")


def test_going_back_shows_a_live_page(page: Page) -> None:
    open_live(page, "/runs")
    page.goto("/login")
    page.go_back()
    expect(page.locator("#live")).to_have_attribute("data-state", "live")


def test_logging_out_in_one_tab_ends_the_other(page: Page, context: BrowserContext) -> None:
    other = open_live(context.new_page(), "/runs")
    open_live(page, "/")
    log_out(page)
    expect(other.locator("#live")).to_have_attribute("data-state", "signed-out")
    expect(other.locator("#live").get_by_role("link", name="log in")).to_be_visible()


def test_a_page_shows_nothing_of_who_signs_in_after_its_user(
    relayed: BrowserContext, relay: Relay, new_context: NewContext, stack: Stack
) -> None:
    page = register(relayed.new_page())
    open_live(page, "/runs")
    stranger = register((strangers := new_context()).new_page())
    submit_elsewhere(strangers, stack, stranger, "private")
    relay.closed = True
    relay.cut()
    expect(page.locator("#live")).to_have_attribute("data-state", "offline")
    relayed.add_cookies([{"name": one["name"], "value": one["value"], "url": page.url} for one in strangers.cookies()])
    relay.closed = False
    expect(page.locator("#live")).to_have_attribute("data-state", "signed-out")
    expect(page.locator(".run")).to_have_count(0)
