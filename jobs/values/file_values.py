"""Convert images, tiles and downloads. Pillow is not imported: its images bring it."""

import sys
from collections.abc import Callable
from typing import Any

from jobs.values.downloads import Download
from jobs.values.images import Tile
from jobs.values.places import Place

Form = Callable[[Any, Place], Any]


def form_of(kind: type) -> Form | None:
    """Return how values of a type are converted, or None for a type that is no file."""
    if issubclass(kind, Tile):
        return lambda value, place: place.files.tile(value, place)
    if issubclass(kind, Download):
        return lambda value, place: place.files.download(value, place)
    pillow = sys.modules.get("PIL.Image")
    if pillow is not None and issubclass(kind, pillow.Image):
        return lambda value, place: place.files.image(value, place)
    return None
