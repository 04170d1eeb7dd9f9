"""Pictures: images that tasks emit and return become files, and JSON that refers to them; other values stay."""

import hashlib
import io
import multiprocessing
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from PIL import Image

from jobs import Cancelled, Emit, StopRun, Tile
from jobs.values import images
from jobs.values.images import picture_in
from jobs.values.outcome import Failure, Stopped, Success
from tests.support.calling import Received, called
from tests.support.waiting import until

RED = (200, 30, 40)


def red(width: int = 4, height: int = 3) -> Image.Image:
    return Image.new("RGB", (width, height), RED)


def failure(function: Callable[..., Any]) -> str:
    outcome, _heard = called(function)
    assert isinstance(outcome, Failure)
    assert (outcome.kind, outcome.final) == ("ResultError", True)
    return outcome.message


def test_an_image_that_is_returned_becomes_a_png_and_a_reference() -> None:
    def paint() -> Image.Image:
        return red()

    outcome, heard = called(paint)
    assert isinstance(outcome, Success)
    (png,) = heard.files
    picture = picture_in(outcome.result)
    assert picture is not None
    assert (picture.sha256, picture.width, picture.height) == (hashlib.sha256(png).hexdigest(), 4, 3)
    with Image.open(io.BytesIO(png)) as kept:
        assert (kept.format, kept.size, kept.getpixel((3, 2))) == ("PNG", (4, 3), RED)


def test_images_and_tiles_are_emitted_in_their_order_among_other_values() -> None:
    def paint(emit: Emit) -> Iterator[Any]:
        emit("begin")
        emit(red())
        yield Tile(red(2, 2), -1, 5, 80, 60)
        yield {"step": 3}

    outcome, heard = called(paint)
    assert outcome == Success(None)
    begin, image, tile, step = heard.values
    assert (begin, step) == ("begin", {"step": 3})
    shown = [picture_in(image), picture_in(tile)]
    assert [one and one.sha256 for one in shown] == [hashlib.sha256(png).hexdigest() for png in heard.files]
    assert shown[0] is not None
    assert shown[0].tile is None
    assert shown[1] is not None
    assert shown[1].tile is not None
    assert shown[1].tile.model_dump() == {"x": -1, "y": 5, "width": 80, "height": 60}


def test_what_only_looks_like_a_reference_stores_nothing() -> None:
    forged = {"$picture": {"sha256": "0" * 64, "width": 1, "height": 1}}

    def forge(emit: Emit) -> Any:
        emit(forged)
        return forged

    outcome, heard = called(forge)
    assert (outcome, heard.values, heard.files) == (Success(forged), [forged], [])


@pytest.mark.parametrize("mode", ["1", "L", "LA", "I", "I;16", "F", "P", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV"])
def test_an_image_of_any_mode_can_be_shown(mode: str) -> None:
    def paint() -> Image.Image:
        return Image.new(mode, (3, 2))

    outcome, heard = called(paint)
    assert isinstance(outcome, Success)
    with Image.open(io.BytesIO(heard.files[0])) as kept:
        assert kept.size == (3, 2)


class Huge(Image.Image):
    """An image with a size beyond any memory, whose pixels must not be loaded."""

    @property
    def size(self) -> tuple[int, int]:
        return 1_000_000, 1_000_000

    width = property(lambda self: 1_000_000)
    height = property(lambda self: 1_000_000)

    def save(self, *_arguments: Any, **_options: Any) -> None:
        raise AssertionError("it is not even tried")


def test_a_pixel_bomb_is_refused_before_it_is_unpacked() -> None:
    def bomb() -> Image.Image:
        return Huge()

    def throw(emit: Emit) -> None:
        emit(Tile(Huge(), 0, 0, 10, 10))

    words = "is an image of 1,000,000 × 1,000,000 pixels. The limit is 1 to 50,000,000 pixels."
    assert failure(bomb) == f"The result {words}"
    assert failure(throw) == f"The tile {words}"


def test_an_image_that_is_too_large_as_a_file_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "LARGEST_BYTES", 1000)

    def paint() -> Image.Image:
        return Image.effect_noise((100, 100), 80)

    assert "bytes as PNG. The limit is 1,000" in failure(paint)


@pytest.mark.parametrize(("limit", "most"), [("MOST_PICTURES", 10), ("MOST_BYTES", 10 * 74)])
def test_what_one_attempt_stores_is_bounded(monkeypatch: pytest.MonkeyPatch, limit: str, most: int) -> None:
    monkeypatch.setattr(images, limit, most)
    heard = Received()

    def paint_for_ever(emit: Emit) -> None:
        while True:
            emit(red())

    outcome, _heard = called(paint_for_ever, heard)
    assert isinstance(outcome, Failure)
    assert "exceeds the limit of a run" in outcome.message
    assert 5 < len(heard.files) <= 10


@pytest.mark.parametrize("place", [(0, 0, 0, 5), (0, 0, 10**9, 5), (10**9, 0, 5, 5)])
def test_a_tile_that_no_page_can_show_is_refused(place: tuple[int, int, int, int]) -> None:
    def paint(emit: Emit) -> None:
        emit(Tile(red(), *place))

    assert "cannot be shown" in failure(paint)


def test_a_tile_is_not_a_result() -> None:
    def paint() -> Tile:
        return Tile(red(), 0, 0, 10, 10)

    assert failure(paint) == "A tile can only be a partial result. Emit it, and return the whole image."


def test_a_task_with_pictures_is_a_plain_function_too() -> None:
    Emit()(red())
    Emit()(Tile(red(), 0, 0, 10, 10))


def test_a_run_that_is_to_stop_stops_at_its_next_tile() -> None:
    def paint(emit: Emit, cancelled: Cancelled) -> None:
        until(cancelled, "the stop")
        emit(Tile(red(), 0, 0, 10, 10))

    outcome, heard = called(paint, Received(stop=True))
    assert (outcome, heard.files) == (Stopped(), [])
    with pytest.raises(StopRun):
        Emit(stop_requested=lambda: True)(red())


def test_a_process_that_the_task_forks_stores_nothing() -> None:
    def paint(emit: Emit) -> int | None:
        child = multiprocessing.get_context("fork").Process(target=emit, args=(red(),))
        child.start()
        child.join()
        return child.exitcode

    outcome, heard = called(paint)
    assert (outcome, heard.files, heard.values) == (Success(0), [], [])
