"""Paint the Mandelbrot set."""

import math
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from jobs import Emit, Progress, Slider, Tile, task

WIDTH, HEIGHT = 800, 600
TILE = 100
SIDE = TILE + 1  # overlaps the next tile, so that no seam shows when a browser scales the image down
HALF_WIDTH = 2.0  # of the visible part of the plane at zoom 0

Palette = Literal["Dusk", "Ember", "Lagoon", "Graphite"]
# Cyclic colours; the first one is next to the set, which itself is nearly black.
PALETTES: dict[Palette, tuple[str, ...]] = {
    "Dusk": ("#0b1033", "#23408f", "#6db3e8", "#fdf6dc", "#f6b042", "#8a2f1d"),
    "Ember": ("#14060c", "#5c0f24", "#c43b1d", "#f79b2e", "#fff1c4", "#7d2b52"),
    "Lagoon": ("#031a26", "#0a5a6b", "#2fb5a0", "#d9f5d3", "#f2d98b", "#1f6f8b"),
    "Graphite": ("#15171c", "#454b57", "#9aa3b2", "#f4f5f7", "#8b93a1", "#2b2f38"),
}
INSIDE = (8, 9, 14)


@task(
    title="Mandelbrot set",
    group="Images",
    tags=["fractal"],
    icon="image",
    memory=500,
    example={"x": -0.1015, "y": 0.633, "zoom": 5, "iterations": 500, "palette": "Lagoon"},
)
def mandelbrot(
    x: Annotated[float, Field(ge=-2.5, le=1.5, title="Centre, real part"), Slider] = -0.743643135,
    y: Annotated[float, Field(ge=-1.5, le=1.5, title="Centre, imaginary part"), Slider] = 0.131825963,
    zoom: Annotated[float, Field(ge=0, le=36, description="Each step doubles the magnification."), Slider] = 18,
    iterations: Annotated[int, Field(ge=50, le=5000, description="More iterations show finer detail."), Slider] = 2500,
    palette: Palette = "Dusk",
    *,
    progress: Progress,
    emit: Emit,
) -> object:
    """Zoom into the Mandelbrot set and watch it appear tile by tile."""
    from PIL import Image

    from ._fractal import coloured, escaping, square

    picture = Image.new("RGB", (WIDTH, HEIGHT))
    pixel = 2 * HALF_WIDTH / 2**zoom / WIDTH
    corners = sorted(_corners(), key=_distance_from_the_middle)
    for painted, (left, top) in enumerate(corners):
        note = f"{painted} of {len(corners)} tiles"
        corner = complex(x + (left - WIDTH / 2) * pixel, y - (top - HEIGHT / 2) * pixel)
        points, heights = square(corner, pixel, SIDE)
        for _ in escaping(points, heights, iterations):
            progress(painted / len(corners), note)
        tile = coloured(heights, PALETTES[palette], INSIDE)
        picture.paste(tile, (left, top))
        emit(Tile(tile, left, top, WIDTH, HEIGHT))
    return picture


def _corners() -> Iterator[tuple[int, int]]:
    return ((left, top) for top in range(0, HEIGHT, TILE) for left in range(0, WIDTH, TILE))


def _distance_from_the_middle(corner: tuple[int, int]) -> float:
    return math.hypot(corner[0] + (TILE - WIDTH) / 2, corner[1] + (TILE - HEIGHT) / 2)
