"""What the Mandelbrot set is computed with: apart from its task, so that numpy is imported by who paints it only."""

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SAMPLES = 2  # of each pixel, along both axes: their mean has smooth edges
ESCAPE = 64.0  # far beyond the circle of radius 2, where the colours become smooth
STEPS_BETWEEN_LOOKS = 50

Numbers = NDArray[np.float64]
Points = NDArray[np.complex128]
Colour = tuple[int, int, int]


def square(corner: complex, pixel: float, side: int) -> tuple[Points, Numbers]:
    """The points of the plane under a square's samples, row by row from its upper left corner; their heights are open.

    `pixel` is the length of a pixel in the plane, `side` that of the square in pixels.
    """
    places = (np.arange(side * SAMPLES) + 0.5) / SAMPLES * pixel
    points = (corner.real + places)[np.newaxis, :] + 1j * (corner.imag - places)[:, np.newaxis]
    return points, np.full(points.shape, math.nan)


def escaping(points: Points, heights: Numbers, iterations: int) -> Iterator[None]:
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


def coloured(heights: Numbers, colours: tuple[str, ...], inside: Colour) -> Image.Image:
    """The image of a square; points whose height is open are inside the set."""
    circle = np.array([[int(colour[at : at + 2], 16) for at in (1, 3, 5)] for colour in (*colours, colours[0])])
    # High up the colours would change too fast to be seen: their distance grows with the height's logarithm.
    turn = np.log2(np.maximum(heights, 1)) * 0.55 % 1 * len(colours)
    channels = [np.interp(turn, np.arange(len(circle)), channel) for channel in circle.T]
    pixels = np.where(np.isnan(heights)[..., np.newaxis], inside, np.stack(channels, axis=-1))
    side = len(heights) // SAMPLES
    rows = pixels.reshape(side, SAMPLES, side, SAMPLES, 3).mean(axis=(1, 3))
    return Image.fromarray(rows.round().astype(np.uint8), "RGB")


def _in_main_body(c: Points) -> NDArray[np.bool_]:
    """Whether points lie in the heart or in the disc at its left: they never escape, and need not be tried."""
    x, square = c.real - 0.25, c.imag**2
    q = x**2 + square
    in_heart = q * (q + x) <= square / 4
    return np.asarray(in_heart | ((c.real + 1) ** 2 + square <= 1 / 16))
