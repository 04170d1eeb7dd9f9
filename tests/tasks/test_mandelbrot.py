from typing import Any, get_args

import numpy as np
import pytest
from PIL import Image

from jobs import Emit, Progress, StopRun, Tile
from jobs.tasks.mandelbrot import HEIGHT, INSIDE, PALETTES, WIDTH, Palette, mandelbrot

WHOLE = {"x": -0.5, "y": 0.0, "zoom": 0.0, "iterations": 200}


def painted(**values: Any) -> tuple[Image.Image, list[Tile]]:
    tiles: list[Tile] = []
    picture = mandelbrot(**{**WHOLE, **values}, progress=Progress(), emit=Emit(develop=tiles.append))
    assert isinstance(picture, Image.Image)
    return picture, tiles


def test_what_is_in_the_set_is_dark_and_what_is_not_has_a_colour() -> None:
    picture, _tiles = painted()
    scale = WIDTH / 4

    def colour_at(x: float, y: float) -> Any:
        return picture.getpixel((round(WIDTH / 2 + (x + 0.5) * scale), round(HEIGHT / 2 - y * scale)))

    for inside in ((0, 0), (-1, 0), (-0.12, 0.75), (-0.12, -0.75), (-1.3, 0.01), (0.3, 0.3)):
        assert colour_at(*inside) == INSIDE
    for outside in ((0.5, 0), (-1, 0.5), (-2.2, 0), (0, 1.2), (1.2, 1)):
        assert colour_at(*outside) != INSIDE


def test_the_lower_half_mirrors_the_upper_one() -> None:
    picture, _tiles = painted()
    pixels = np.asarray(picture, dtype=int)
    assert np.abs(pixels - pixels[::-1]).max() <= 1


def test_the_tiles_make_the_picture_and_the_middle_comes_first() -> None:
    picture, tiles = painted()
    canvas = Image.new("RGB", (WIDTH, HEIGHT))
    for tile in tiles:
        canvas.paste(tile.image, (tile.x, tile.y))
    assert {(tile.width, tile.height) for tile in tiles} == {(WIDTH, HEIGHT)}
    assert len(tiles) == 48
    assert canvas.tobytes() == picture.tobytes()
    assert {(tile.x, tile.y) for tile in tiles[:4]} == {(300, 200), (400, 200), (300, 300), (400, 300)}


@pytest.mark.parametrize("palette", get_args(Palette))
def test_each_palette_has_its_own_colours(palette: Palette) -> None:
    picture, _tiles = painted(palette=palette, iterations=50)
    assert len(picture.getcolors(WIDTH * HEIGHT) or ()) > 100
    assert set(PALETTES) == set(get_args(Palette))


def test_at_the_deepest_zoom_there_is_still_a_picture() -> None:
    picture, _tiles = painted(x=-0.743643135, y=0.131825963, zoom=36.0, iterations=60)
    assert picture.size == (WIDTH, HEIGHT)


def test_a_stop_is_heard_within_a_tile() -> None:
    looks: list[bool] = []

    def stopped() -> bool:
        looks.append(len(looks) == 10)
        return looks[-1]

    tiles: list[Tile] = []
    deep: dict[str, Any] = {**WHOLE, "x": -0.1578, "y": 1.0328, "zoom": 9.0, "iterations": 5000}
    with pytest.raises(StopRun):
        mandelbrot(**deep, progress=Progress(stop_requested=stopped), emit=Emit(develop=tiles.append))
    assert len(looks) == 11
    assert len(tiles) < 10
