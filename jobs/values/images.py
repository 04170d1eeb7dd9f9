"""Pictures: an image that a task emits or returns goes to the file store, and what is kept of it refers to that."""

import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, TypeGuard

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from jobs.values.json_value import ResultError
from jobs.values.stored_file import StoredFile

if TYPE_CHECKING:
    from PIL.Image import Image

MOST_PIXELS = 50_000_000
LARGEST_BYTES = 50_000_000
# Of all that one attempt shows.
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
    """A piece of a picture that is painted while it is computed: emit one, and the run's page shows it in its place.

    `image` has its upper left corner at `x`, `y` of a picture of `width` by `height` pixels. Later tiles paint over
    earlier ones, and an image that the task returns takes their place.
    """

    image: "Image"
    x: int
    y: int
    width: int
    height: int


class Canvas(BaseModel):
    """Where a tile lies, and on how large a picture, in pixels."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    x: Place
    y: Place
    width: Length
    height: Length


class Picture(BaseModel):
    """What refers to a picture: its file and its size in pixels, and of a tile where it lies."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    width: Length
    height: Length
    tile: Canvas | None = None


def is_image(value: object) -> "TypeGuard[Image]":
    """Return whether a value is an image of Pillow, which whoever made one has imported."""
    pillow = sys.modules.get("PIL.Image")
    return pillow is not None and isinstance(value, pillow.Image)


def picture_in(value: object) -> Picture | None:
    """What a kept value refers to, if it has the form of a reference; that it is one, only the run's files say."""
    if not isinstance(value, dict) or set(value) != {REFERENCE}:
        return None
    try:
        return Picture.model_validate(value[REFERENCE])
    except ValidationError:
        return None


class ImageStore:
    """Turns images into files and what refers to them; every other value stays as it is."""

    def __init__(self, keep: Keep, name: str) -> None:
        self._keep = keep
        self._name = name
        self._pictures = 0
        self._bytes = 0

    def partial(self, value: Any) -> Any:
        """What is kept of a partial result. Raises ResultError for an image that is too large."""
        if isinstance(value, Tile):
            return _reference(self._developed(value.image, "The tile"), _canvas(value))
        return _reference(self._developed(value, "The partial result")) if is_image(value) else value

    def result(self, value: Any) -> Any:
        """What is kept of a result. Raises ResultError for an image that is too large, and for a tile."""
        if isinstance(value, Tile):
            raise ResultError("A tile is a partial result: emit it, and return the whole image.")
        return _reference(self._developed(value, "The result")) if is_image(value) else value

    def _developed(self, image: "Image", what: str) -> Picture:
        pixels = image.width * image.height
        if not 0 < pixels <= MOST_PIXELS:
            size = f"{image.width:,} × {image.height:,} pixels"
            raise ResultError(f"{what} is an image of {size}: it may have 1 to {MOST_PIXELS:,} of them.")
        with tempfile.TemporaryFile() as file:
            _as_png(image).save(file, "PNG")
            self._count(file.tell(), what)
            file.seek(0)
            stored = self._keep(file, self._name, PNG)
        return Picture(sha256=stored.sha256, width=image.width, height=image.height)

    def _count(self, size: int, what: str) -> None:
        if size > LARGEST_BYTES:
            raise ResultError(f"{what} is an image of {size:,} bytes as PNG, and {LARGEST_BYTES:,} can be kept.")
        self._pictures += 1
        self._bytes += size
        if self._pictures > MOST_PICTURES or self._bytes > MOST_BYTES:
            limits = f"{MOST_PICTURES:,} images and {MOST_BYTES:,} bytes of them"
            raise ResultError(f"{what} is one image too many: of one attempt at most {limits} can be kept.")


def _reference(picture: Picture, tile: Canvas | None = None) -> dict[str, Any]:
    return {REFERENCE: picture.model_copy(update={"tile": tile}).model_dump(exclude_none=True)}


def _canvas(tile: Tile) -> Canvas:
    try:
        return Canvas(x=int(tile.x), y=int(tile.y), width=int(tile.width), height=int(tile.height))
    except ValidationError:
        where = f"at {tile.x}, {tile.y} of a picture of {tile.width} × {tile.height} pixels"
        raise ResultError(f"The tile lies {where}, which no page can show.") from None


def _as_png(image: "Image") -> "Image":
    return image if image.mode in PNG_MODES else image.convert("RGB")
