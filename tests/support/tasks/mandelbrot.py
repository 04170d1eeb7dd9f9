"""A task with sliders that emits its result tile by tile."""

from typing import Annotated

from PIL import Image
from pydantic import Field

from jobs import Emit, Progress, Slider, Tile, task

WIDTH, HEIGHT, TILE = 800, 600, 100
CORNERS = [(left, top) for top in range(0, HEIGHT, TILE) for left in range(0, WIDTH, TILE)]


@task(example={"x": -0.1, "y": 0.6, "zoom": 5})
def mandelbrot(
    x: float = -0.743643135,
    y: float = 0.131825963,
    zoom: Annotated[float, Field(ge=0, le=36), Slider] = 18,
    iterations: Annotated[int, Field(ge=50, le=20_000), Slider] = 2500,
    *,
    progress: Progress,
    emit: Emit,
) -> object:
    """Paint a part of the Mandelbrot set."""
    picture, pixel = Image.new("L", (WIDTH, HEIGHT)), 4 / 2**zoom / WIDTH
    for number, (left, top) in enumerate(CORNERS):
        progress(number / len(CORNERS), f"{number} of {len(CORNERS)} tiles")
        west, north = x + (left - WIDTH / 2) * pixel, y + (top - HEIGHT / 2) * pixel
        extent = (west, north, west + TILE * pixel, north + TILE * pixel)
        tile = Image.effect_mandelbrot((TILE, TILE), extent, iterations)
        picture.paste(tile, (left, top))
        emit(Tile(tile, left, top, WIDTH, HEIGHT))
    return picture
