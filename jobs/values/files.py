"""Storage of the images, files and bytes in a value, or the text in their place without a file store."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from jobs.values.errors import NoForm
from jobs.values.places import Place

if TYPE_CHECKING:
    from PIL.Image import Image

LONGEST_HEXADECIMAL = 64
LONGEST_TEXT = 200_000
CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")


class Refused:
    """For values that cannot have files, such as checkpoints: a path is its text, bytes are text or hexadecimal."""

    def image(self, image: "Image", place: Place) -> Any:
        raise NoForm("An image cannot be stored here.")

    def tile(self, tile: Any, place: Place) -> Any:
        raise NoForm("A tile cannot be stored here.")

    def drawing(self, stream: BinaryIO, media_type: str, size: tuple[int, int], place: Place) -> Any:
        raise NoForm("A drawing cannot be stored here.")

    def download(self, file: Any, place: Place) -> Any:
        raise NoForm("A file cannot be stored here.")

    def path(self, path: Path, place: Place) -> Any:
        return str(path)

    def content(self, content: bytes, place: Place) -> Any:
        text = text_of(content)
        return hexadecimal(content, place) if text is None else text


class Discarded:
    """For tasks that are called as plain functions: nothing is stored, and each file becomes None."""

    def image(self, image: "Image", place: Place) -> Any:
        return None

    def tile(self, tile: Any, place: Place) -> Any:
        return None

    def drawing(self, stream: BinaryIO, media_type: str, size: tuple[int, int], place: Place) -> Any:
        return None

    def download(self, file: Any, place: Place) -> Any:
        return None

    def path(self, path: Path, place: Place) -> Any:
        return None

    def content(self, content: bytes, place: Place) -> Any:
        return None


REFUSED, DISCARDED = Refused(), Discarded()


def text_of(content: bytes) -> str | None:
    """Return bytes as the text that they encode in UTF-8, or None if they are not text."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return None
    return None if CONTROL.search(text) else text


def hexadecimal(content: bytes, place: Place) -> str:
    """Return bytes that are not text in hexadecimal, or their number if they are many."""
    if len(content) <= LONGEST_HEXADECIMAL:
        place.note("bytes that are not text are shown in hexadecimal.")
        return content.hex()
    place.note("of bytes that are not text, only the number is saved.")
    return f"{len(content):,} bytes"
