"""Paint the Mandelbrot set."""

import math
from collections.abc import Iterator
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import Field

from jobs import Emit, Progress, Slider, Tile, task

WIDTH, HEIGHT = 800, 600
TILE = 100
SIDE = TILE + 1  # into the next tile, so that no seam shows where a browser makes them smaller
SAMPLES = 2  # of each pixel, along both axes: their mean has smooth edges
HALF_WIDTH = 2.0  # of what is seen without zooming in
ESCAPE = 64.0  # far beyond the circle of radius 2, where the colours become smooth
STEPS_BETWEEN_LOOKS = 50

Numbers = NDArray[np.float64]
Palette = Literal["Dusk", "Ember", "Lagoon", "Graphite"]
# Colours that follow each other in a circle, the first one next to the set, which itself is nearly black.
PALETTES: dict[Palette, tuple[str, ...]] = {
    "Dusk": ("#0b1033", "#23408f", "#6db3e8", "#fdf6dc", "#f6b042", "#8a2f1d"),
    "Ember": ("#14060c", "#5c0f24", "#c43b1d", "#f79b2e", "#fff1c4", "#7d2b52"),
    "Lagoon": ("#031a26", "#0a5a6b", "#2fb5a0", "#d9f5d3", "#f2d98b", "#1f6f8b"),
    "Graphite": ("#15171c", "#454b57", "#9aa3b2", "#f4f5f7", "#8b93a1", "#2b2f38"),
}
INSIDE = (8, 9, 14)


@task(
    title="Mandelbrot set",
    example={"x": -0.1015, "y": 0.633, "zoom": 5, "iterations": 500, "palette": "Lagoon"},
)
def mandelbrot(
    x: Annotated[float, Field(ge=-2.5, le=1.5, title="Centre, real part"), Slider] = -0.743643135,
    y: Annotated[float, Field(ge=-1.5, le=1.5, title="Centre, imaginary part"), Slider] = 0.131825963,
    zoom: Annotated[float, Field(ge=0, le=36, description="Each step shows everything twice as large."), Slider] = 18,
    iterations: Annotated[int, Field(ge=50, le=5000, description="More show finer detail."), Slider] = 2500,
    palette: Palette = "Dusk",
    *,
    progress: Progress,
    emit: Emit,
) -> Image.Image:
    """Zoom into it, and watch it being painted tile by tile."""
    picture = Image.new("RGB", (WIDTH, HEIGHT))
    corners = sorted(_corners(), key=_distance_from_the_middle)
    for painted, (left, top) in enumerate(corners):
        note = f"{painted} of {len(corners)} tiles"
        points = _points(left, top, complex(x, y), HALF_WIDTH / 2**zoom)
        heights = np.full(points.shape, math.nan)
        for _ in _escaping(points, heights, iterations):
            progress(painted / len(corners), note)
        tile = _coloured(heights, PALETTES[palette])
        picture.paste(tile, (left, top))
        emit(Tile(tile, left, top, WIDTH, HEIGHT))
    return picture


def _corners() -> Iterator[tuple[int, int]]:
    return ((left, top) for top in range(0, HEIGHT, TILE) for left in range(0, WIDTH, TILE))


def _distance_from_the_middle(corner: tuple[int, int]) -> float:
    return math.hypot(corner[0] + (TILE - WIDTH) / 2, corner[1] + (TILE - HEIGHT) / 2)


def _points(left: int, top: int, centre: complex, half_width: float) -> NDArray[np.complex128]:
    """The points of the plane under a tile's samples, row by row from its upper left corner."""
    places = (np.arange(SIDE * SAMPLES) + 0.5) / SAMPLES
    scale = 2 * half_width / WIDTH
    across = centre.real + (left + places - WIDTH / 2) * scale
    down = centre.imag - (top + places - HEIGHT / 2) * scale
    return across[np.newaxis, :] + 1j * down[:, np.newaxis]


def _escaping(points: NDArray[np.complex128], heights: Numbers, iterations: int) -> Iterator[None]:
    """Fill in, for every point that escapes, after how many iterations of z² + c, in fractions; yields now and then.

    The fraction comes from how far beyond the circle it got: n + 1 - log₂ log |z|.
    """
    flat, c = heights.ravel(), points.ravel()
    places = np.flatnonzero(~_in_main_body(c))
    z = c = c[places]
    for step in range(1, iterations):
        z = z * z + c
        square = z.real**2 + z.imag**2
        gone = square > ESCAPE**2
        if gone.any():
            flat[places[gone]] = step + 1 - np.log2(np.log(square[gone]) / 2)
            places, c, z = places[~gone], c[~gone], z[~gone]
        if not places.size:
            return
        if step % STEPS_BETWEEN_LOOKS == 0:
            yield


def _in_main_body(c: NDArray[np.complex128]) -> NDArray[np.bool_]:
    """Whether points lie in the heart or in the disc at its left: they never escape, and need not be tried."""
    x, square = c.real - 0.25, c.imag**2
    q = x**2 + square
    in_heart = q * (q + x) <= square / 4
    return np.asarray(in_heart | ((c.real + 1) ** 2 + square <= 1 / 16))


def _coloured(heights: Numbers, colours: tuple[str, ...]) -> Image.Image:
    circle = np.array([[int(colour[at : at + 2], 16) for at in (1, 3, 5)] for colour in (*colours, colours[0])])
    # High up the colours would change too fast to be seen: their distance grows with the height's logarithm.
    turn = np.log2(np.maximum(heights, 1)) * 0.55 % 1 * len(colours)
    channels = [np.interp(turn, np.arange(len(circle)), channel) for channel in circle.T]
    pixels = np.where(np.isnan(heights)[..., np.newaxis], INSIDE, np.stack(channels, axis=-1))
    rows = pixels.reshape(SIDE, SAMPLES, SIDE, SAMPLES, 3).mean(axis=(1, 3))
    return Image.fromarray(rows.round().astype(np.uint8), "RGB")
