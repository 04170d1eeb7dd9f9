"""In the browser: a run's log and partial results as they come, after a lost connection, searched, and by keyboard."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from jobs.runs import events, lease
from jobs.runs.backend import Backend
from jobs.runs.output_entries import OutputKind
from jobs.runs.run import Run
from tests.browser.conftest import NewContext, open_live, register, user_of, was_not_reloaded
from tests.browser.test_pages import sideways, violations
from tests.test_live_output import draw_line, make_held, put_out
from tests.webapp.runs.test_output import CORPUS


def held_run(page: Page, backend: Backend) -> Run:
    """A running run of the page's user that nothing but the test goes on with."""
    return make_held(backend, user_of(page, backend))


@pytest.fixture
def run(page: Page, backend: Backend) -> Run:
    return held_run(page, backend)


def lines(page: Page) -> list[str]:
    return page.locator(".log li > span").all_inner_texts()


def report(backend: Backend, run: Run, fraction: float) -> None:
    change = lease.report(backend.database, run, fraction, "working")
    assert change is not None
    events.publish(backend.redis, change)


def test_lines_and_values_appear_live_and_stay_through_progress(page: Page, backend: Backend, run: Run) -> None:
    open_live(page, f"/runs/{run.id}")
    expect(page.locator(".output__card")).to_have_count(0)
    put_out(backend, run, "first")
    expect(page.locator(".log li")).to_have_count(1)
    put_out(backend, run, "second", "third")
    put_out(backend, run, {"step": 1}, 42, kind=OutputKind.EMITTED)
    expect(page.locator(".emitted li")).to_have_count(2)
    report(backend, run, 0.5)
    expect(page.locator(".progress__share")).to_have_text("50 %")
    put_out(backend, run, 43, kind=OutputKind.EMITTED)
    expect(page.locator(".emitted .result--scalar")).to_have_text(["42", "43"])
    assert lines(page) == ["first", "second", "third"]
    page.get_by_role("button", name="Stop run").click()
    expect(page.get_by_text("Stopping…")).to_be_visible()
    assert lines(page) == ["first", "second", "third"]
    assert was_not_reloaded(page)


def test_times_are_those_of_the_reader(new_context: NewContext, backend: Backend) -> None:
    page = register(new_context(timezone_id="Asia/Kolkata").new_page())
    run = held_run(page, backend)
    put_out(backend, run, "stored")
    open_live(page, f"/runs/{run.id}")
    put_out(backend, run, "pushed")
    put_out(backend, run, 42, kind=OutputKind.EMITTED)
    draw_line(backend, run, "unfinished")
    expect(page.locator(".log li time")).to_have_text(["05:30:01", "05:30:01", "05:30:02"])
    expect(page.locator(".emitted li time")).to_have_text("05:30:01")


def test_a_page_that_was_cut_off_has_every_line_once(page: Page, backend: Backend, run: Run) -> None:
    put_out(backend, run, "line 0")
    open_live(page, f"/runs/{run.id}")
    for number in range(1, 30):
        put_out(backend, run, f"line {number}")
        if number % 10 == 5:
            page.evaluate("window.dispatchEvent(new Event('online'))")  # it connects anew
    expect(page.locator(".log li")).to_have_count(30)
    assert lines(page) == [f"line {number}" for number in range(30)]
    put_out(backend, run, "line 30")
    expect(page.locator(".log li")).to_have_count(31)
    assert was_not_reloaded(page)


def test_an_answer_that_crosses_a_push_brings_nothing_twice_or_back(page: Page, backend: Backend, run: Run) -> None:
    put_out(backend, run, "one")
    open_live(page, f"/runs/{run.id}")
    answer = page.evaluate("id => fetch(`/live/changes?run=${id}`).then(answer => answer.text())", run.id)
    put_out(backend, run, "two")
    expect(page.locator(".log li")).to_have_count(2)
    swap = "answer => htmx.swap({sourceElement: document.body, target: 'body', swap: 'none', text: answer})"
    page.evaluate(swap, answer)
    assert lines(page) == ["one", "two"]
    late = page.evaluate("document.querySelectorAll('.log ol')[1].outerHTML")
    further = late.replace('data-end="3"', 'data-end="4"').replace("</li>", "</li><li><span>three</span></li>")
    for chunk, shown in ((late, ["one", "two"]), (further, ["one", "two", "three"])):
        partial = f'<hx-partial hx-target="#run-{run.id}-log-entries" hx-swap="beforeend">{chunk}</hx-partial>'
        page.evaluate(swap, partial)
        assert lines(page) == shown
    put_out(backend, run, "three", "four")
    expect(page.locator(".log li > span")).to_have_text(["one", "two", "three", "four"])


def unfinished(page: Page) -> Locator:
    return page.locator(".log__unfinished li > span")


def test_an_unfinished_line_is_redrawn_in_place_until_it_ends(page: Page, backend: Backend, run: Run) -> None:
    open_live(page, f"/runs/{run.id}")
    draw_line(backend, run, "loading ...")
    expect(unfinished(page)).to_have_text(["loading ..."])
    draw_line(backend, run, "10 %", ended=["loading ... done"])
    expect(unfinished(page)).to_have_text(["10 %"])
    page.locator(".log__unfinished li").evaluate("line => line.drawnBefore = true")
    place = unfinished(page).bounding_box()
    for percent in range(20, 100, 10):
        draw_line(backend, run, f"{percent} %")
        expect(unfinished(page)).to_have_text([f"{percent} %"])
        assert lines(page) == ["loading ... done", f"{percent} %"]
    assert page.locator(".log__unfinished li").evaluate("line => line.drawnBefore")
    assert unfinished(page).bounding_box() == place
    draw_line(backend, run, ended=["90 %"])
    expect(unfinished(page)).to_have_count(0)
    assert lines(page) == ["loading ... done", "90 %"]
    assert page.get_by_text("90 %", exact=True).bounding_box() == place
    assert was_not_reloaded(page)


def test_a_page_that_was_cut_off_has_the_line_as_it_is_now(page: Page, backend: Backend, run: Run) -> None:
    put_out(backend, run, "one")
    draw_line(backend, run, "10 %")
    open_live(page, f"/runs/{run.id}")
    for percent in range(20, 100, 10):
        page.evaluate("window.dispatchEvent(new Event('online'))")  # it connects anew
        draw_line(backend, run, f"{percent} %")
    expect(unfinished(page)).to_have_text(["90 %"])
    page.evaluate("window.dispatchEvent(new Event('online'))")
    draw_line(backend, run, ended=["100 %"])
    expect(unfinished(page)).to_have_count(0)
    assert lines(page) == ["one", "100 %"]
    assert was_not_reloaded(page)


def test_an_older_answer_does_not_bring_back_a_line_that_has_ended(page: Page, backend: Backend, run: Run) -> None:
    put_out(backend, run, "one")
    draw_line(backend, run, "10 %")
    open_live(page, f"/runs/{run.id}")
    draw_line(backend, run, "20 %")
    expect(unfinished(page)).to_have_text(["20 %"])
    ask = "query => fetch(`/live/changes?${query}`).then(answer => answer.text())"
    older = [page.evaluate(ask, f"run={run.id}&log={claim}") for claim in ("0", "2")]
    swap = "answer => htmx.swap({sourceElement: document.body, target: 'body', swap: 'none', text: answer})"
    draw_line(backend, run, "30 %")
    expect(unfinished(page)).to_have_text(["30 %"])
    for answer in older:
        page.evaluate(swap, answer)
        assert lines(page) == ["one", "30 %"]
    draw_line(backend, run, ended=["100 %"])
    expect(unfinished(page)).to_have_count(0)
    for answer in older:
        page.evaluate(swap, answer)
        assert lines(page) == ["one", "100 %"]


def test_the_log_follows_its_end_until_its_reader_scrolls_up(page: Page, backend: Backend, run: Run) -> None:
    page.set_viewport_size({"width": 1280, "height": 1200})
    put_out(backend, run, *(f"line {number}" for number in range(200)))
    open_live(page, f"/runs/{run.id}")
    expect(page.get_by_text("line 199", exact=True)).to_be_in_viewport()
    put_out(backend, run, "the newest")
    expect(page.get_by_text("the newest")).to_be_in_viewport()
    region = page.get_by_role("region", name="Log")
    region.focus()
    page.keyboard.press("Home")
    expect(page.get_by_text("line 0", exact=True)).to_be_in_viewport()
    put_out(backend, run, "even newer")
    expect(page.locator(".log li")).to_have_count(202)
    expect(page.get_by_text("line 0", exact=True)).to_be_in_viewport()


@pytest.mark.parametrize("javascript", [True, False])
def test_lines_are_searched_with_and_without_javascript(
    new_context: NewContext, backend: Backend, javascript: bool
) -> None:
    page = register(new_context(java_script_enabled=javascript).new_page())
    run = held_run(page, backend)
    put_out(backend, run, "tile 1", "tile 2", "row 1")
    page.goto(f"/runs/{run.id}")
    page.get_by_label("Search the log").fill("TILE")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("log=TILE"))
    assert lines(page) == ["tile 1", "tile 2"]
    if javascript:
        page.locator("#live[data-state=live]").wait_for(state="attached")
        put_out(backend, run, "tile 3")
        report(backend, run, 0.25)
        expect(page.locator(".progress__share")).to_have_text("25 %")
        assert lines(page) == ["tile 1", "tile 2"]
    page.get_by_role("link", name="All lines").click()
    expect(page.locator(".log li")).to_have_count(4 if javascript else 3)


def test_whatever_is_printed_is_text(page: Page, backend: Backend, run: Run) -> None:
    put_out(backend, run, *CORPUS)
    open_live(page, f"/runs/{run.id}")
    put_out(backend, run, *CORPUS)
    put_out(backend, run, *CORPUS, kind=OutputKind.EMITTED)
    expect(page.locator(".emitted pre")).to_have_count(len(CORPUS))
    assert page.locator(".log li > span").evaluate_all("all => all.map(one => one.textContent)") == [*CORPUS, *CORPUS]
    assert page.locator("h1").count() == 1


def test_axe_finds_nothing_and_nothing_is_wider_than_a_narrow_window(page: Page, backend: Backend) -> None:
    page.set_viewport_size({"width": 360, "height": 800})
    run = held_run(page, backend)
    put_out(backend, run, *("x" * 500, "a b " * 200), *(f"line {number}" for number in range(50)))
    put_out(backend, run, "fire", source="err")
    put_out(backend, run, "smoke", source="warning")
    put_out(backend, run, {"a_key": "x" * 300}, [1, 2], "text", kind=OutputKind.EMITTED)
    draw_line(backend, run, f"line 50: 42 %|{'█' * 60}")
    for path in (f"/runs/{run.id}", f"/runs/{run.id}?log=line", f"/runs/{run.id}?log=nowhere"):
        page.goto(path)
        assert violations(page) + sideways(page) == []


SHIFTS = """new Promise(done => {
    let sum = 0;
    new PerformanceObserver(list => list.getEntries().forEach(one => sum += one.value))
        .observe({ type: "layout-shift", buffered: true });
    requestAnimationFrame(() => requestAnimationFrame(() => done(sum)));
})"""


def test_the_clock_of_a_running_run_goes_on_and_moves_nothing(page: Page, backend: Backend, run: Run) -> None:
    open_live(page, f"/runs/{run.id}")
    clock = page.locator(".run-full__clock")
    for _ in range(2):
        expect(clock).not_to_have_text(clock.inner_text())
    report(backend, run, 0.5)
    expect(page.locator("[data-left]")).to_have_text(re.compile(r"about \d+ (s|min|h) left"))
    assert page.evaluate(SHIFTS) <= 0.01
