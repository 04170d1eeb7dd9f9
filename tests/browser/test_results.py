"""In the browser: results of every kind are accessible, fit a narrow page in both themes, and texts can be copied."""

import io
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from jobs import Chart, Html, Markdown
from jobs.runs import lease
from jobs.runs.backend import Backend
from jobs.runs.output_entries import OutputKind
from jobs.runs.run import Run
from jobs.values.json_value import json_value
from jobs.values.outcome import Failure
from tests.browser.conftest import NewContext, open_live, register, was_not_reloaded
from tests.browser.test_hostile_text import ALL, TEXTS
from tests.browser.test_output import held_run
from tests.browser.test_pages import sideways, violations
from tests.support.people import note_file
from tests.test_live_output import put_out

TEXT = "one line\n  and <b>another</b>"
PEOPLE = [{"name": "Ada", "age": 36}, {"name": "Grace", "age": 85}]
CHARTS = [
    Chart("bar", {"2025": [3, -1], "2026": [4, 2]}, ["north", "a very long name of a place"], title="Orders"),
    Chart("line", {str(n): [n, n * n, n + 2] for n in range(8)}, title="Lines", x_label="Hour", y_label="Orders"),
    Chart("scatter", [(1, 2000000), (3, 4)]),
    Chart.histogram({"a": [1, 2, 2, 3], "b": [2, 3, 3]}, 3, title="Ages"),
]


def reference(backend: Backend, run: Run, name: str, content: bytes, **more: Any) -> dict[str, Any]:
    media_type = more.pop("media_type", "text/csv")
    file = note_file(backend, run.id, content, media_type, name)
    return {"$file": {"sha256": file.sha256, "size": file.size, "name": name, "media_type": media_type, **more}}


def picture() -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (800, 300), "teal").save(stream, "PNG")
    return stream.getvalue()


def ended(page: Page, backend: Backend, *results: Any) -> Run:
    run = held_run(page, backend)
    shown = reference(backend, run, "a.png", picture(), media_type="image/png", width=800, height=300)
    files = [reference(backend, run, f"{'long-name-' * 9}.csv", b"a,b"), shown]
    lease.succeed(backend.database, run, json_value([*results, *files]))
    return run


def test_axe_finds_nothing_and_every_kind_fits_a_narrow_page(page: Page, backend: Backend) -> None:
    page.set_viewport_size({"width": 360, "height": 800})
    nested = {"a": {"deep": [1, {"x": None}], "chart": CHARTS[0]}, "people": PEOPLE}
    html = Html("<h3>Menu</h3><table><tr><th>Soup<td>5</table>")
    run = ended(page, backend, TEXT, Markdown("# Report\n\n- one"), html, PEOPLE, nested, [1, 2], *CHARTS)
    for path in (f"/runs/{run.id}", "/runs", f"/runs/{run.id}/table?part=3"):
        page.goto(path)
        for details in page.locator(".chart__numbers").all():
            details.locator("summary").click()
        assert violations(page) + sideways(page) == []


@pytest.mark.parametrize("size", [(1280, 720), (360, 720)])
def test_a_chart_among_partial_results_is_seen_whole(page: Page, backend: Backend, size: tuple[int, int]) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    run = held_run(page, backend)
    put_out(backend, run, json_value(CHARTS[3]), kind=OutputKind.EMITTED)
    page.goto(f"/runs/{run.id}")
    page.locator(".emitted .chart__numbers").scroll_into_view_if_needed()
    region = page.get_by_role("region", name="Partial results")
    assert region.evaluate("one => one.scrollHeight - one.clientHeight") == 0
    expect(page.locator(".emitted .chart__title")).to_be_in_viewport()


def test_the_colours_of_series_stand_out_from_the_page(new_context: NewContext, backend: Backend) -> None:
    for scheme in ("light", "dark"):
        page = register(new_context(color_scheme=scheme).new_page())
        page.goto(f"/runs/{ended(page, backend, CHARTS[1]).id}")
        series = page.locator(".chart__drawing .series .line").evaluate_all(
            "all => all.map(one => getComputedStyle(one).stroke)"
        )
        behind = page.locator(".run-full__body").evaluate("one => getComputedStyle(one).backgroundColor")
        assert len(set(series)) == 8
        assert all(contrast(one, behind) >= 3 for one in series)


def contrast(one: str, other: str) -> float:
    """The ratio of two colours' luminance, as WCAG 2.2 defines it."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    parts = [int(part) / 255 for part in colour.removeprefix("rgb(").removesuffix(")").split(",")]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_a_text_and_a_hash_can_be_copied(new_context: NewContext, backend: Backend) -> None:
    page = register(new_context(permissions=["clipboard-read", "clipboard-write"]).new_page())
    run = ended(page, backend, TEXT)
    open_live(page, f"/runs/{run.id}")
    page.locator(".copyable .copy").click()
    expect(page.locator("#announcer")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == TEXT
    expect(page.locator(".copyable .copy")).to_have_text("Copy")
    page.get_by_text("SHA-256").first.click()
    page.locator(".file__hash .copy").first.click()
    expect(page.locator("#announcer")).to_have_text("Copied")
    sha256 = page.locator(".file__hash code").first.text_content()
    assert page.evaluate("navigator.clipboard.readText()") == sha256
    failed = held_run(page, backend)
    lease.fail(backend.database, failed, Failure("OvenError", "The oven is cold.", "line 3"))
    open_live(page, f"/runs/{failed.id}")
    page.get_by_role("button", name="Copy error").click()
    expect(page.locator("#announcer")).to_have_text("Copied")
    copied = page.evaluate("navigator.clipboard.readText()").split("\n")
    assert copied[:2] + copied[-2:-1] == ["The oven is cold.", "OvenError", "line 3"]


def test_a_table_is_searched_sorted_and_paged_where_it_is(page: Page, backend: Backend) -> None:
    run = held_run(page, backend)
    rows = [{"name": f"{'odd' if n % 2 else 'even'} {n}", "n": n / 4} for n in range(240)]
    lease.succeed(backend.database, run, rows)
    open_live(page, f"/runs/{run.id}")
    table, search = page.locator(".result--table"), page.get_by_label("Search the table")
    first = table.locator("tbody tr:first-child")
    search.press_sequentially("odd")
    expect(table.get_by_role("status")).to_have_text("240 rows, 120 with “odd”")
    expect(search).to_be_focused()
    for order, cells in (("ascending", ["odd 1", "0.25"]), ("descending", ["odd 239", "59.75"])):
        table.get_by_role("link", name="n", exact=True).click()
        expect(table.locator("th[aria-sort]")).to_have_attribute("aria-sort", order)
        expect(first.locator("td")).to_have_text(cells)
    table.get_by_role("group").evaluate("rows => rows.scrollTop = 300")
    table.get_by_role("link", name="Next rows").click()
    expect(table.get_by_role("navigation")).to_contain_text("51–100 of 120")
    assert table.get_by_role("group").evaluate("rows => rows.scrollTop") == 0
    table.get_by_role("group").evaluate("rows => rows.scrollTop = 300")
    head, rows_box = table.locator("th").first.bounding_box(), table.get_by_role("group").bounding_box()
    assert head
    assert rows_box
    assert abs(head["y"] - rows_box["y"]) < 3, "its head stays in view"
    assert was_not_reloaded(page)


def test_without_javascript_its_links_lead_to_the_same(new_context: NewContext, backend: Backend) -> None:
    page = register(new_context(java_script_enabled=False).new_page())
    run = held_run(page, backend)
    lease.succeed(backend.database, run, [{"n": n} for n in range(100)])
    page.goto(f"/runs/{run.id}")
    page.get_by_label("Search the table").fill("9")
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.get_by_role("status").filter(has_text="rows")).to_have_text("100 rows, 19 with “9”")
    page.get_by_role("link", name="n", exact=True).click()
    page.get_by_role("link", name="n", exact=True).click()
    expect(page.locator("tbody tr:first-child")).to_have_text("99")


def test_without_a_clipboard_a_text_can_be_copied_too(new_context: NewContext, backend: Backend) -> None:
    page = register(new_context(permissions=["clipboard-read"]).new_page())
    page.add_init_script("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    open_live(page, f"/runs/{ended(page, backend, TEXT).id}")
    page.locator(".copyable .copy").click()
    expect(page.locator("#announcer")).to_have_text("Copied")


def test_without_javascript_there_is_no_button_that_does_nothing(new_context: NewContext, backend: Backend) -> None:
    page = register(new_context(java_script_enabled=False).new_page())
    page.goto(f"/runs/{ended(page, backend, TEXT, CHARTS[0]).id}")
    expect(page.locator(".copyable .copy")).to_be_hidden()
    expect(page.get_by_role("img", name="Orders")).to_be_visible()


def test_hostile_words_in_results_do_nothing(page: Page, backend: Backend) -> None:
    words = [json_value(text)[:200] for text in TEXTS]
    charts = [Chart("bar", {one: [1]}, [one], title=one, x_label=one, y_label=one) for one in words]
    run = ended(page, backend, Html(ALL), {one: one for one in words}, *charts)
    for path in (f"/runs/{run.id}", "/runs"):
        open_live(page, path)
        assert page.evaluate("window.owned") is None
        assert page.locator(".owned").count() == 0
