"""Pictures on pages: images as images, tiles as one picture, and what only looks like one as a value."""

from typing import Any

import pytest
from bs4 import BeautifulSoup
from flask import Flask

from jobs.runs import lease, output
from jobs.runs.backend import Backend
from jobs.runs.output_entries import Batch, Entry, OutputKind
from jobs.runs.run import Run
from jobs.values.stored_file import RunFile
from tests.support.people import claimed, make_run, note_file, owner_id, read
from tests.support.visitor import Visitor, soup, the
from tests.webapp.live.test_snapshot import targets
from tests.webapp.runs.test_output import look, put_out
from webapp.live.snapshot import difference
from webapp.rendering import fragments


@pytest.fixture
def run(backend: Backend, ada: Visitor) -> Run:
    return claimed(backend, make_run(backend, owner_id(backend, ada.email)))


@pytest.fixture
def file(backend: Backend, run: Run) -> RunFile:
    return note_file(backend, run.id, b"not looked at")


def reference(file: RunFile, **tile: int) -> dict[str, Any]:
    return {"$picture": {"sha256": file.sha256, "width": 20, "height": 10, **({"tile": tile} if tile else {})}}


def tile(file: RunFile, x: int, y: int) -> dict[str, Any]:
    return reference(file, x=x, y=y, width=40, height=30)


def emit(backend: Backend, run: Run, *values: Any) -> None:
    put_out(backend, run, *values, kind=OutputKind.EMITTED)


def succeed(backend: Backend, run: Run, result: Any) -> None:
    assert lease.succeed(backend.database, run, result)


def test_a_result_that_is_a_picture_is_shown_and_can_be_downloaded(
    app: Flask, ada: Visitor, backend: Backend, run: Run, file: RunFile
) -> None:
    succeed(backend, run, reference(file))
    page = soup(ada.get(f"/runs/{run.id}"))
    image, link = the(page, ".run-full__result img"), the(page, ".run-full__result a")
    address = f"/runs/{run.id}/files/{file.sha256}"
    assert (image["src"], image["width"], image["height"]) == (address, "20", "10")
    assert image["alt"] == "Image, 20 × 10 pixels"
    assert (link["href"], link["download"]) == (address, "")
    assert the(soup(ada.get("/runs")), f"#run-{run.id} img")["src"] == address
    with app.test_request_context("/live"):
        assert address in fragments.full(read(backend, run))


def test_a_picture_among_partial_results_is_one_of_them(
    ada: Visitor, backend: Backend, run: Run, file: RunFile
) -> None:
    emit(backend, run, "before", reference(file))
    entries = soup(ada.get(f"/runs/{run.id}")).select(f"#run-{run.id}-emitted li")
    assert len(entries) == 2
    assert the(entries[1], "time").text == "00:00:01"
    assert the(entries[1], "img")["src"] == f"/runs/{run.id}/files/{file.sha256}"


def test_tiles_are_one_picture_without_times_and_with_one_label(
    ada: Visitor, backend: Backend, run: Run, file: RunFile
) -> None:
    emit(backend, run, tile(file, 0, 0), tile(file, 20, 0))
    section = the(soup(ada.get(f"/runs/{run.id}")), f"#run-{run.id}-emitted")
    drawings = section.select("ol > li[data-tile][aria-hidden=true] > svg")
    assert [one["viewbox"] for one in drawings] == ["0 0 40 30"] * 2
    places = [[the(one, "image")[name] for name in ("x", "y", "width", "height", "href")] for one in drawings]
    address = f"/runs/{run.id}/files/{file.sha256}"
    assert places == [["0", "0", "20", "10", address], ["20", "0", "20", "10", address]]
    assert section.select("li time") == []
    assert [one["aria-label"] for one in section.select("[role=img]")] == ["The picture so far"]
    assert section.select("[style]") == []


def test_a_further_tile_is_appended_alone(app: Flask, backend: Backend, run: Run, file: RunFile) -> None:
    with app.test_request_context("/live"):
        emit(backend, run, tile(file, 0, 0))
        first = look(backend, run)
        emit(backend, run, tile(file, 20, 0))
        frame = difference(first.shown, look(backend, run, first))
    assert targets(frame)[1:] == [f"#run-{run.id}-emitted-entries"]
    assert 'hx-swap="beforeend"' in frame
    assert [one["x"] for one in BeautifulSoup(frame, "html.parser").select("image")] == ["20"]


def test_the_file_of_a_tile_and_the_tile_come_in_one_change(app: Flask, backend: Backend, run: Run) -> None:
    with app.test_request_context("/live"):
        before = look(backend, run)
        new = RunFile(*backend.files.put(b"new"), "a.png", "image/png")
        batch = Batch(OutputKind.EMITTED, [Entry(1.0, OutputKind.EMITTED, tile(new, 0, 0))], 100)
        assert output.store(backend.database, run, [batch], files=[new])
        frame = difference(before.shown, look(backend, run, before))
    assert len(BeautifulSoup(frame, "html.parser").select("image")) == 1


def test_the_tiles_of_each_attempt_are_kept_apart(ada: Visitor, backend: Backend, run: Run, file: RunFile) -> None:
    emit(backend, run, tile(file, 0, 0))
    lease.lose(backend.database, "worker")
    emit(backend, claimed(backend, run), tile(file, 20, 0))
    first, second = soup(ada.get(f"/runs/{run.id}")).select(f"#run-{run.id}-emitted ol")
    assert first.select(".output__attempt") == []
    assert the(second, ".output__attempt").text == "Attempt 2"
    assert [len(one.select("[data-tile]")) for one in (first, second)] == [1, 1]


def test_a_value_that_only_looks_like_a_picture_is_text(ada: Visitor, ben: Visitor, backend: Backend, run: Run) -> None:
    """Such as one that a task got from its user, who knows the hash of somebody else's file."""
    bens = make_run(backend, owner_id(backend, ben.email))
    foreign = note_file(backend, bens.id, b"ben's")
    emit(backend, run, reference(foreign), tile(foreign, 0, 0))
    succeed(backend, run, reference(foreign))
    page = soup(ada.get(f"/runs/{run.id}"))
    assert page.select("#main img, #main image, [data-tile]") == []
    assert foreign.sha256 in the(page, ".run-full__result dd").text
    assert ada.get(f"/runs/{run.id}/files/{foreign.sha256}").status_code == 404
    assert soup(ada.get("/runs")).select("#main img") == []


@pytest.mark.parametrize("words", ['"><script>alert(1)</script>', "javascript:alert(1)", "../../1/files/x"])
def test_a_forged_reference_reaches_no_attribute(
    ada: Visitor, backend: Backend, run: Run, file: RunFile, words: str
) -> None:
    for name in ("sha256", "width", "tile"):
        emit(backend, run, {"$picture": {**reference(file)["$picture"], name: words}})
    page = soup(ada.get(f"/runs/{run.id}"))
    assert page.select("#main img, #main image, #main script") == []
    assert len(page.select(".emitted .definitions .definitions")) == 3
