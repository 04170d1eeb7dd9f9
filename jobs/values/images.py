"""Pictures: images that a task returns or emits go to the file store; the stored value is a reference to the file."""

import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, TypeGuard

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from jobs.values.json_value import ResultError
from jobs.values.marks import model_in
from jobs.values.stored_file import StoredFile

if TYPE_CHECKING:
    from PIL.Image import Image

MOST_PIXELS = 50_000_000
LARGEST_BYTES = 50_000_000
# Limits on the total output of one attempt.
MOST_BYTES = 200_000_000
MOST_PICTURES = 10_000

PNG = "image/png"
PNG_MODES = frozenset({"1", "L", "LA", "I;16", "P", "RGB", "RGBA"})
REFERENCE = "$picture"

Keep = Callable[[BinaryIO, str, str], StoredFile]
Length = Annotated[int, Field(ge=1, le=MOST_PIXELS)]
Place = Annotated[int, Field(ge=-MOST_PIXELS, le=MOST_PIXELS)]


@dataclass(frozen=True)
class Tile:
    """A part of an image, emitted while the image is being computed: the run's page shows it in its position.

    The upper left corner of `image` is at `x`, `y` in an image of `width` by `height` pixels. Later tiles cover earlier
    ones, and an image that the task returns replaces them all.
    """

    image: "Image"
    x: int
    y: int
    width: int
    height: int


class Canvas(BaseModel):
    """The position of a tile and the size of the whole image, in pixels."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    x: Place
    y: Place
    width: Length
    height: Length


class Picture(BaseModel):
    """A reference to an image: its file, its size in pixels, and for a tile its position."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    width: Length
    height: Length
    tile: Canvas | None = None


def is_image(value: object) -> "TypeGuard[Image]":
    """Return whether a value is a Pillow image. Pillow is not imported: it is loaded already if there is an image."""
    pillow = sys.modules.get("PIL.Image")
    return pillow is not None and isinstance(value, pillow.Image)


def picture_in(value: object) -> Picture | None:
    """Return the image reference in a stored value, or None. Check it against the run's files before trusting it."""
    return model_in(value, REFERENCE, Picture)


class ImageStore:
    """Stores images as files and replaces them with references; other values stay unchanged."""

    def __init__(self, keep: Keep, name: str) -> None:
        self._keep = keep
        self._name = name
        self._pictures = 0
        self._bytes = 0

    def partial(self, value: Any) -> Any:
        """Return the form of a partial result to store. Raises ResultError for an image that is too large."""
        if isinstance(value, Tile):
            return _reference(self._developed(value.image, "The tile"), _canvas(value))
        return _reference(self._developed(value, "The partial result")) if is_image(value) else value

    def result(self, value: Any) -> Any:
        """Return the form of a result to store. Raises ResultError for an image that is too large, and for a tile."""
        if isinstance(value, Tile):
            raise ResultError("A tile can only be a partial result. Emit it, and return the whole image.")
        return _reference(self._developed(value, "The result")) if is_image(value) else value

    def _developed(self, image: "Image", what: str) -> Picture:
        pixels = image.width * image.height
        if not 0 < pixels <= MOST_PIXELS:
            size = f"{image.width:,} × {image.height:,} pixels"
            raise ResultError(f"{what} is an image of {size}. The limit is 1 to {MOST_PIXELS:,} pixels.")
        with tempfile.TemporaryFile() as file:
            _as_png(image).save(file, "PNG")
            self._count(file.tell(), what)
            file.seek(0)
            stored = self._keep(file, self._name, PNG)
        return Picture(sha256=stored.sha256, width=image.width, height=image.height)

    def _count(self, size: int, what: str) -> None:
        if size > LARGEST_BYTES:
            raise ResultError(f"{what} is too large: {size:,} bytes as PNG. The limit is {LARGEST_BYTES:,}.")
        self._pictures += 1
        self._bytes += size
        if self._pictures > MOST_PICTURES or self._bytes > MOST_BYTES:
            limits = f"{MOST_PICTURES:,} images and {MOST_BYTES:,} bytes in total"
            raise ResultError(f"{what} exceeds the limit of a run: {limits}. Emit fewer or smaller images.")


def _reference(picture: Picture, tile: Canvas | None = None) -> dict[str, Any]:
    return {REFERENCE: picture.model_copy(update={"tile": tile}).model_dump(exclude_none=True)}


def _canvas(tile: Tile) -> Canvas:
    try:
        return Canvas(x=int(tile.x), y=int(tile.y), width=int(tile.width), height=int(tile.height))
    except ValidationError:
        where = f"at {tile.x}, {tile.y} in an image of {tile.width} × {tile.height} pixels"
        raise ResultError(f"A tile {where} cannot be shown.") from None


def _as_png(image: "Image") -> "Image":
    return image if image.mode in PNG_MODES else image.convert("RGB")
