"""In the browser: the first page is small, and nothing on it jumps."""

from typing import Any

from playwright.sync_api import Page, expect

from tests.browser.conftest import NewContext, open_live, register

MOST_BYTES = 45_000
MOST_REQUESTS = 12
MOST_SHIFT = 0.01

WATCH_SHIFTS = """() => {
    window.shift = 0;
    const add = list => { for (const entry of list.getEntries()) window.shift += entry.value; };
    new PerformanceObserver(add).observe({ type: "layout-shift", buffered: true });
}"""


def transferred(page: Page, address: str) -> list[tuple[str, int]]:
    """Load a page with an empty cache, and return the address and the bytes over the wire of each request."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("Network.enable")
    named: dict[str, str] = {}
    sizes: list[tuple[str, int]] = []
    devtools.on("Network.requestWillBeSent", lambda sent: named.update({sent["requestId"]: sent["request"]["url"]}))

    def add(finished: dict[str, Any]) -> None:
        sizes.append((named[finished["requestId"]], int(finished["encodedDataLength"])))

    devtools.on("Network.loadingFinished", add)
    open_live(page, address)
    page.wait_for_load_state("networkidle")
    devtools.detach()
    return sizes


def test_the_first_page_is_small_and_asks_for_little(new_context: NewContext) -> None:
    for address in ("/", "/tasks/reverse_text", "/runs"):
        sizes = transferred(register(new_context().new_page()), address)
        assert len(sizes) <= MOST_REQUESTS, sizes
        assert sum(size for _, size in sizes) <= MOST_BYTES, sizes


def test_thirty_toasts_move_nothing(page: Page) -> None:
    open_live(page, "/tasks/factorise")
    page.evaluate(WATCH_SHIFTS)
    for number in range(30):
        sent = page.request.post(
            "/tasks/reverse_text", form={"text": f"{number}"}, headers={"Sec-Fetch-Site": "same-origin"}
        )
        assert sent.ok
    expect(page.locator(".toast")).to_have_count(4)
    assert page.evaluate("window.shift") <= MOST_SHIFT
