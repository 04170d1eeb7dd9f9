"""In the browser: pictures that are painted tile by tile while their run is running, and as its result."""

import io
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from jobs import Emit, Progress
from jobs.runs import events, lease
from jobs.runs.backend import Backend
from jobs.runs.output_entries import OutputKind
from jobs.runs.run import Run
from tests.browser.conftest import NewContext, open_live, register, was_not_reloaded
from tests.browser.test_output import held_run
from tests.browser.test_pages import sideways, violations
from tests.support.people import note_file
from tests.support.tasks.mandelbrot import HEIGHT, WIDTH, mandelbrot
from tests.support.waiting import until
from tests.test_live_output import put_out
from tests.webapp.rendering.test_pictures import reference, tile

RED, GREEN, BLUE = (200, 30, 40), (20, 150, 60), (30, 60, 200)
# Some seconds of work, and some minutes: many points there never leave the set.
LONG: dict[str, Any] = {"x": -0.743643135, "y": 0.131825963, "zoom": 19.0, "iterations": 2000}
ENDLESS = {**LONG, "x": -1.7548776662, "y": 0, "zoom": 8, "iterations": 20_000}


@pytest.fixture
def run(page: Page, backend: Backend) -> Run:
    return held_run(page, backend)


def paint(backend: Backend, run: Run, colour: tuple[int, int, int], x: int, y: int) -> None:
    """Emit a tile of 20 by 10 pixels for a picture of 40 by 30."""
    put_out(backend, run, tile(note_file(backend, run.id, png(colour)), x, y), kind=OutputKind.EMITTED)


def png(colour: tuple[int, int, int], size: tuple[int, int] = (20, 10)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, "PNG")
    return file.getvalue()


def colours(page: Page, *places: tuple[int, int]) -> list[Any]:
    """Return the colours of pixels of the picture that the tiles form."""
    page.wait_for_load_state("networkidle")
    region = page.locator(".emitted__picture").bounding_box()
    assert region
    with Image.open(io.BytesIO(page.screenshot(full_page=True))) as shot:
        seen = shot.convert("RGB")
        return [seen.getpixel((round(region["x"]) + x, round(region["y"]) + y)) for x, y in places]


def start(page: Page, **parameters: Any) -> None:
    """Run the task with these parameters, and go to the run's page."""
    open_live(page, "/tasks/mandelbrot")
    for name, value in parameters.items():
        page.locator(f"#{name}-input").fill(str(value))
    page.get_by_role("button", name="Run", exact=True).click()
    page.locator(".run__title").first.click()
    page.locator("#live[data-state=live]").wait_for(state="attached")
    page.evaluate("window.stillTheSamePage = true")


def test_tiles_appear_while_the_run_is_running_and_then_the_whole_picture(page: Page) -> None:
    start(page, **LONG)
    page.locator("article[data-state=running] [data-tile]").nth(3).wait_for()
    expect(page.get_by_role("img", name="The picture so far")).to_be_visible()
    image = page.locator("article[data-state=succeeded] .run-full__result img")
    expect(image).to_be_visible()
    assert was_not_reloaded(page)
    expect(page.locator("[data-tile]")).to_have_count(48)
    expect(page.locator(".emitted")).to_be_hidden()
    until(lambda: image.evaluate("image => image.complete && image.naturalWidth") == WIDTH, "the picture")
    with Image.open(io.BytesIO(page.request.get(str(image.get_attribute("src"))).body())) as shown:
        right = mandelbrot(**LONG, progress=Progress(), emit=Emit())
        assert isinstance(right, Image.Image)
        assert (shown.size, shown.tobytes()) == ((WIDTH, HEIGHT), right.tobytes())


def test_of_a_run_that_is_stopped_midway_the_tiles_stay(page: Page) -> None:
    start(page, **ENDLESS)
    page.locator("article[data-state=running] [data-tile]").first.wait_for()
    page.get_by_role("button", name="Stop run").click()
    expect(page.locator("article[data-state=cancelled]")).to_contain_text("Stopped after")
    tiles = page.locator("[data-tile]")
    shown = tiles.evaluate_all("all => all.map(one => one.innerHTML)")
    assert 0 < len(shown) < 48
    expect(page.get_by_role("img", name="The picture so far")).to_be_visible()
    open_live(page, page.url)
    assert tiles.evaluate_all("all => all.map(one => one.innerHTML)") == shown


def test_each_tile_is_painted_in_its_place_over_what_was_there(page: Page, backend: Backend, run: Run) -> None:
    open_live(page, f"/runs/{run.id}")
    paint(backend, run, RED, 0, 0)
    page.locator("[data-tile]").wait_for()
    until(lambda: colours(page, (10, 5)) == [RED], "the colours")
    paint(backend, run, GREEN, 10, 5)
    put_out(backend, run, {"step": 2}, kind=OutputKind.EMITTED)
    paint(backend, run, BLUE, 20, 20)
    expect(page.locator("[data-tile]")).to_have_count(3)
    until(lambda: colours(page, (5, 2), (15, 8), (28, 13), (30, 25)) == [RED, GREEN, GREEN, BLUE], "the colours")
    expect(page.get_by_text("Step")).to_be_visible()
    assert was_not_reloaded(page)
    open_live(page, f"/runs/{run.id}")
    until(lambda: colours(page, (5, 2), (15, 8), (28, 13), (30, 25)) == [RED, GREEN, GREEN, BLUE], "the colours")


def test_another_attempt_starts_a_new_picture(page: Page, backend: Backend, run: Run) -> None:
    open_live(page, f"/runs/{run.id}")
    paint(backend, run, RED, 0, 0)
    page.locator("[data-tile]").wait_for()
    lease.lose(backend.database, "elsewhere")
    again = lease.claim(backend.database, run.id, "elsewhere")
    assert again is not None
    paint(backend, again, GREEN, 20, 0)
    expect(page.locator("[data-tile]").nth(1)).to_be_visible()
    expect(page.locator("[data-tile]").nth(0)).to_be_hidden()
    before, now = colours(page, (10, 5), (30, 5))
    assert before != RED
    assert now == GREEN


def test_the_picture_is_there_without_javascript(new_context: NewContext, backend: Backend) -> None:
    page = register(new_context(java_script_enabled=False).new_page())
    run = held_run(page, backend)
    paint(backend, run, RED, 0, 0)
    page.goto(f"/runs/{run.id}")
    until(lambda: colours(page, (10, 5)) == [RED], "the colours")


def test_a_page_that_is_opened_again_has_its_pictures_already(page: Page, backend: Backend, run: Run) -> None:
    for x in (0, 20):
        paint(backend, run, (x, 0, 0), x, 0)
    for came in (True, False):
        page.goto(f"/runs/{run.id}")
        page.wait_for_load_state("networkidle")
        entries = "performance.getEntriesByType('resource').filter(one => one.name.includes('/files/'))"
        assert page.evaluate(f"{entries}.map(one => one.transferSize > 0)") == [came, came]


def test_a_result_can_be_downloaded_under_its_name(page: Page, backend: Backend, run: Run) -> None:
    finish(backend, run)
    open_live(page, f"/runs/{run.id}")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    assert download.value.suggested_filename == "a.png"
    assert download.value.path().read_bytes() == png(RED)


def finish(backend: Backend, run: Run) -> None:
    change = lease.succeed(backend.database, run, reference(note_file(backend, run.id, png(RED))))
    assert change is not None
    events.publish(backend.redis, change)


def test_axe_finds_nothing_and_a_picture_is_never_wider_than_the_window(page: Page, backend: Backend) -> None:
    page.set_viewport_size({"width": 360, "height": 800})
    run = held_run(page, backend)
    file = note_file(backend, run.id, png(RED, (2000, 500)))
    large: dict[str, Any] = {"$picture": {**reference(file)["$picture"], "width": 2000, "height": 500}}
    wide = {"$picture": {**large["$picture"], "tile": {"x": 0, "y": 0, "width": 4000, "height": 500}}}
    for values in ([wide], [large, "text"]):
        put_out(backend, run, *values, kind=OutputKind.EMITTED)
        page.goto(f"/runs/{run.id}")
        assert violations(page) + sideways(page) == []
    lease.succeed(backend.database, run, large)
    for path in (f"/runs/{run.id}", "/runs"):
        page.goto(path)
        assert violations(page) + sideways(page) == []
