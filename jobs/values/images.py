"""Pictures: images that a task returns or emits go to the file store; the stored value is a reference to the file."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from jobs.values import png
from jobs.values.errors import NoForm, ResultError
from jobs.values.marks import model_in
from jobs.values.places import Place
from jobs.values.stored_file import StoredFile

if TYPE_CHECKING:
    from PIL.Image import Image

MOST_PIXELS = 50_000_000
LARGEST_BYTES = 50_000_000
# Limits on the total output of one attempt.
MOST_BYTES = 200_000_000
MOST_PICTURES = 10_000

PNG = "image/png"
# The media type of an SVG drawing that this application has made harmless; other files cannot have it.
DRAWING = "image/x-drawing"
EXTENSIONS = {PNG: "png", DRAWING: "svg"}
REFERENCE = "$picture"

Keep = Callable[[BinaryIO, str, str], StoredFile]
Length = Annotated[int, Field(ge=1, le=MOST_PIXELS)]
Position = Annotated[int, Field(ge=-MOST_PIXELS, le=MOST_PIXELS)]


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

    x: Position
    y: Position
    width: Length
    height: Length


class Picture(BaseModel):
    """A reference to an image: its file, its size in pixels, and for a tile its position."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    width: Length
    height: Length
    tile: Canvas | None = None


def picture_in(value: object) -> Picture | None:
    """Return the image reference in a stored value, or None. Check it against the run's files before trusting it."""
    return model_in(value, REFERENCE, Picture)


class ImageStore:
    """Stores images as files and returns references to them."""

    def __init__(self, keep: Keep, task: str) -> None:
        self._keep = keep
        self._task = task
        self._pictures = 0
        self._bytes = 0

    def image(self, image: "Image", place: Place) -> Any:
        """Store an image. Raises NoForm for one that is too large or cannot be read."""
        return _reference(self._developed(image, place, "It"))

    def tile(self, tile: Tile, place: Place) -> Any:
        """Store a tile. Raises NoForm for one that no page can show."""
        canvas = _canvas(tile)
        return _reference(self._developed(tile.image, place, "The tile"), canvas)

    def drawing(self, stream: BinaryIO, media_type: str, size: tuple[int, int]) -> Any:
        """Store an image file of this size in pixels."""
        return _reference(self._stored(stream, media_type, size, "It"))

    def _developed(self, image: "Image", place: Place, what: str) -> Picture:
        if not 0 < image.width * image.height <= MOST_PIXELS:
            size = f"{image.width:,} × {image.height:,} pixels"
            raise NoForm(f"{what} is an image of {size}. The limit is 1 to {MOST_PIXELS:,} pixels.")
        with tempfile.TemporaryFile() as file:
            return self._stored(file, PNG, png.write(image, file, MOST_PIXELS, place), what)

    def _stored(self, file: BinaryIO, media_type: str, size: tuple[int, int], what: str) -> Picture:
        self._count(file.seek(0, 2), what)
        file.seek(0)
        stored = self._keep(file, f"{self._task}.{EXTENSIONS[media_type]}", media_type)
        return Picture(sha256=stored.sha256, width=size[0], height=size[1])

    def _count(self, size: int, what: str) -> None:
        if size > LARGEST_BYTES:
            raise NoForm(f"{what} is too large: {size:,} bytes as PNG. The limit is {LARGEST_BYTES:,}.")
        self._pictures += 1
        self._bytes += size
        if self._pictures > MOST_PICTURES or self._bytes > MOST_BYTES:
            limits = f"{MOST_PICTURES:,} images and {MOST_BYTES:,} bytes in total"
            what = "An image" if what == "It" else what
            raise ResultError(f"{what} exceeds the limit of a run: {limits}. Emit fewer or smaller images.")


def _reference(picture: Picture, tile: Canvas | None = None) -> dict[str, Any]:
    return {REFERENCE: picture.model_copy(update={"tile": tile}).model_dump(exclude_none=True)}


def _canvas(tile: Tile) -> Canvas:
    try:
        return Canvas(x=int(tile.x), y=int(tile.y), width=int(tile.width), height=int(tile.height))
    except ValidationError:
        where = f"at {tile.x}, {tile.y} in an image of {tile.width} × {tile.height} pixels"
        raise NoForm(f"A tile {where} cannot be shown.") from None
