"""Convert a task's result and partial results to JSON, with their images and files in the file store."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from jobs.values.downloads import Download, DownloadStore
from jobs.values.encoder import Encoder
from jobs.values.errors import NoForm
from jobs.values.files import DISCARDED
from jobs.values.images import ImageStore, Keep, Tile
from jobs.values.json_value import sized
from jobs.values.places import Place

if TYPE_CHECKING:
    from PIL.Image import Image

PARTIAL = "The partial result"
MOST_TOLD = 20


class StoredFiles:
    """Stores the images and files of one attempt."""

    def __init__(self, keep: Keep, task: str) -> None:
        self._images = ImageStore(keep, task)
        self._downloads = DownloadStore(keep)
        self.takes_tiles = True

    def image(self, image: "Image", place: Place) -> Any:
        return self._images.image(image, place)

    def tile(self, tile: Tile, place: Place) -> Any:
        if not self.takes_tiles:
            raise NoForm("A tile can only be a partial result. Emit it, and return the whole image.")
        if place.parent is not None:
            raise NoForm("A tile cannot be part of another value. Emit it on its own.")
        return self._images.tile(tile, place)

    def drawing(self, stream: BinaryIO, media_type: str, size: tuple[int, int], place: Place) -> Any:
        return self._images.drawing(stream, media_type, size)

    def download(self, file: Download, place: Place) -> Any:
        return self._downloads.download(file, place)

    def path(self, path: Path, place: Place) -> Any:
        return self._downloads.download(Download(path), place)

    def content(self, content: bytes, place: Place) -> Any:
        return self._downloads.content(content, place)


def _untold(note: str) -> None:
    """Discard a note about a partial result."""


class ValueStore:
    """Converts a task's result and partial results. What was changed in a partial result is passed to `tell`, once."""

    def __init__(self, keep: Keep, task: str, tell: Callable[[str], None] = _untold) -> None:
        self._files = StoredFiles(keep, task)
        self._tell = tell
        self._told: set[str] = set()
        self._pid = os.getpid()

    def partial(self, value: Any) -> Any:
        """Return the form of a partial result to store. Raises ResultError for a value that cannot be stored."""
        if os.getpid() != self._pid:  # the task has forked: partial results of its children are discarded
            return None
        kept, notes = self._encoded(value, PARTIAL)
        for note in notes:
            if note not in self._told and len(self._told) < MOST_TOLD:
                self._told.add(note)
                self._tell(f"{PARTIAL} was changed. {note}")
        return kept

    def result(self, value: Any) -> tuple[Any, Sequence[str]]:
        """Return the form of a result to store, and notes about what was changed or left out.

        Raises ResultError for a value that cannot be stored.
        """
        self._files.takes_tiles = False
        return self._encoded(value, "The result")

    def _encoded(self, value: Any, what: str) -> tuple[Any, Sequence[str]]:
        encoder = Encoder(self._files)
        return sized(encoder.encode(value, what), what), encoder.notes.texts


def unstored(value: Any) -> Any:
    """Return a partial result without its files: used without a store, in a task called as a plain function."""
    return Encoder(DISCARDED).encode(value, PARTIAL)
