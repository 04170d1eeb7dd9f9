"""Places within a value, such as `rows[3].price`, and the notes about what was changed or left out there."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

if TYPE_CHECKING:
    from PIL.Image import Image

# Longer than what is shown, so that the worker can redact secrets before it truncates the text.
LONGEST_NOTE_SENT = 2000
MOST_NOTES = 20
PLACES_PER_NOTE = 3


class Files(Protocol):
    """Converts the images, files and bytes in a value to JSON."""

    def image(self, image: "Image", place: "Place") -> Any: ...
    def tile(self, tile: Any, place: "Place") -> Any: ...
    def drawing(self, stream: BinaryIO, media_type: str, size: tuple[int, int], place: "Place") -> Any:
        """Convert an image file that a library has drawn, of this size in pixels."""

    def download(self, file: Any, place: "Place") -> Any: ...
    def path(self, path: Path, place: "Place") -> Any: ...
    def content(self, content: bytes, place: "Place") -> Any: ...


class Notes:
    """The changes and omissions in a value, each with the places where it was made."""

    def __init__(self) -> None:
        self._places: dict[str, list[str]] = {}
        self._counts: dict[str, int] = {}

    def add(self, words: str, place: "Place") -> None:
        places = self._places.setdefault(words, [])
        self._counts[words] = self._counts.get(words, 0) + 1
        if len(places) < PLACES_PER_NOTE:
            places.append(str(place))

    @property
    def texts(self) -> list[str]:
        """The notes as sentences, at most MOST_NOTES."""
        texts = [self._text(words) for words in list(self._places)[:MOST_NOTES]]
        more = len(self._places) - MOST_NOTES
        return [*texts, f"{more:,} more changes are not listed."] if more > 0 else texts

    def _text(self, words: str) -> str:
        places = [place for place in self._places[words] if place]
        more = self._counts[words] - len(self._places[words])
        where = ", ".join(places) + (f" and {more:,} more" if more else "")
        return (f"{where}: {words}" if places else f"{words[0].upper()}{words[1:]}")[:LONGEST_NOTE_SENT]


@dataclass(slots=True, eq=False)
class Place:
    """A place within a value that is being converted, and the means of the conversion.

    `value` is what stands there. `in_cell` is whether it is a cell of a table.
    """

    notes: Notes
    files: Files
    value: Any = None
    parent: "Place | None" = None
    step: str = ""
    depth: int = 0
    in_cell: bool = False

    def note(self, words: str) -> None:
        """Record how the value at this place was changed."""
        self.notes.add(words, self)

    def item(self, number: int, value: Any) -> "Place":
        return self._within(f"[{number}]", value)

    def named(self, name: str, value: Any) -> "Place":
        return self._within(_step(name), value)

    def cell(self, row: int, column: str, value: Any) -> "Place":
        return self._within(f".rows[{row}]{_step(column)}", value, in_cell=True)

    @property
    def around(self) -> Iterator["Place"]:
        """The places that contain this one, from the inside out."""
        place = self.parent
        while place is not None:
            yield place
            place = place.parent

    def __str__(self) -> str:
        steps = [self.step, *(place.step for place in self.around)]
        return "".join(reversed(steps)).lstrip(".")

    def _within(self, step: str, value: Any, in_cell: bool = False) -> "Place":
        return Place(self.notes, self.files, value, self, step, self.depth + 1, in_cell)


def _step(name: str) -> str:
    return f".{name}" if name.isidentifier() else f"[{name!r}]"
