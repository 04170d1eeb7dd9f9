"""In the browser: figures of Matplotlib are drawn in SVG, with their colours, and nothing in them runs."""

import io
from collections.abc import Iterator
from typing import Any, BinaryIO

import pytest
from matplotlib.figure import Figure
from PIL import Image
from playwright.sync_api import Page

from jobs.runs import lease
from jobs.runs.backend import Backend
from jobs.values.stored_file import StoredFile
from jobs.values.value_store import ValueStore
from tests.browser.test_output import held_run
from tests.support.people import note_file
from tests.support.stack import Stack

RED = (200, 30, 40)
HOSTILE = b"""<svg xmlns="http://www.w3.org/2000/svg" onload="parent.document.title = 'owned'" width="9" height="9">
<script>parent.document.title = 'owned'</script></svg>"""


@pytest.fixture
def backend(stack: Stack) -> Iterator[Backend]:
    opened = stack.backend()
    yield opened
    opened.database.close()


def shown(page: Page, backend: Backend, change: Any = lambda content: content) -> str:
    """Show a figure that is all red on the page of a run, and return the address of its file."""
    run = held_run(page, backend)

    def keep(stream: BinaryIO, name: str, media_type: str) -> StoredFile:
        file = note_file(backend, run.id, change(stream.read()), media_type, name)
        return StoredFile(file.sha256, file.size)

    figure = Figure(figsize=(2, 1), facecolor="#c81e28")
    figure.text(0.1, 0.1, "soup", url="javascript:alert(1)")
    result, _notes = ValueStore(keep, "paint").result(figure)
    lease.succeed(backend.database, run, result)
    page.goto(f"/runs/{run.id}")
    page.wait_for_load_state("networkidle")
    return f"/runs/{run.id}/files/{result['$picture']['sha256']}"


def test_a_figure_is_drawn_in_its_colours(page: Page, backend: Backend) -> None:
    messages: list[str] = []
    page.on("console", lambda message: messages.append(message.text))
    shown(page, backend)
    image = page.locator(".result--picture img")
    with Image.open(io.BytesIO(image.screenshot())) as shot:
        assert shot.convert("RGB").getpixel((shot.width // 2, 5)) == RED
    assert image.evaluate("one => [one.naturalWidth, one.naturalHeight]") == [192, 96]
    assert messages == []


def test_a_drawing_opened_on_its_own_is_downloaded(page: Page, backend: Backend) -> None:
    address = shown(page, backend)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    assert download.value.suggested_filename == "paint.svg"
    saved = download.value.path().read_text()
    assert "javascript" not in saved
    with page.expect_download():
        page.evaluate("address => { location.href = address }", address)


def test_nothing_in_a_drawing_runs_whatever_it_is(page: Page, backend: Backend) -> None:
    shown(page, backend, lambda _content: HOSTILE)
    page.locator(".result--picture img").wait_for()
    assert page.title() != "owned"
