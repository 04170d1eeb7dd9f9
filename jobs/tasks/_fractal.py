"""Compute the Mandelbrot set, in a module of its own so that only the process that paints it imports numpy."""

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SAMPLES = 2  # per pixel and axis; averaging them smooths the edges
ESCAPE = 64.0  # far outside the circle of radius 2, so that the colours change smoothly
STEPS_BETWEEN_LOOKS = 50

Numbers = NDArray[np.float64]
Points = NDArray[np.complex128]
Colour = tuple[int, int, int]


def square(corner: complex, pixel: float, side: int) -> tuple[Points, Numbers]:
    """Return the points of a square's samples, in rows from the upper left corner, and their heights, initially NaN.

    `pixel` is the side of a pixel in the complex plane, `side` the side of the square in pixels.
    """
    places = (np.arange(side * SAMPLES) + 0.5) / SAMPLES * pixel
    points = (corner.real + places)[np.newaxis, :] + 1j * (corner.imag - places)[:, np.newaxis]
    return points, np.full(points.shape, math.nan)


def escaping(points: Points, heights: Numbers, iterations: int) -> Iterator[None]:
    """Set the height of every point that escapes to its fractional number of iterations of z² + c.

    The height is n + 1 - log₂ log |z|. Yields every STEPS_BETWEEN_LOOKS iterations, so that the caller can report
    progress.
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
    """Return the image of a square. Points whose height is NaN are inside the set."""
    circle = np.array([[int(colour[at : at + 2], 16) for at in (1, 3, 5)] for colour in (*colours, colours[0])])
    # Logarithmic, because at large heights a linear scale would change the colours too fast to be seen.
    turn = np.log2(np.maximum(heights, 1)) * 0.55 % 1 * len(colours)
    channels = [np.interp(turn, np.arange(len(circle)), channel) for channel in circle.T]
    pixels = np.where(np.isnan(heights)[..., np.newaxis], inside, np.stack(channels, axis=-1))
    side = len(heights) // SAMPLES
    rows = pixels.reshape(side, SAMPLES, side, SAMPLES, 3).mean(axis=(1, 3))
    return Image.fromarray(rows.round().astype(np.uint8), "RGB")


def _in_main_body(c: Points) -> NDArray[np.bool_]:
    """Return which points are in the main cardioid or the disc to its left: these never escape."""
    x, square = c.real - 0.25, c.imag**2
    q = x**2 + square
    in_heart = q * (q + x) <= square / 4
    return np.asarray(in_heart | ((c.real + 1) ** 2 + square <= 1 / 16))
