"""A value that a task returns, and what is stored and shown of it."""

import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image

Make = Callable[[], Any]
Content = Callable[[str], bytes]


@dataclass(frozen=True)
class Picture:
    """An image that is stored: its size, and some of its pixels in RGBA."""

    size: tuple[int, int]
    pixels: Mapping[tuple[int, int], tuple[int, ...]]
    frames: int = 1
    profile: bool | None = None

    def fits(self, kept: Any, content: Content) -> bool:
        """Return whether this is what a stored value refers to."""
        picture = kept["$picture"]
        if (picture["width"], picture["height"]) != self.size:
            return False
        with Image.open(io.BytesIO(content(picture["sha256"]))) as image:
            same = (image.format, image.size, getattr(image, "n_frames", 1)) == ("PNG", self.size, self.frames)
            has_profile = "icc_profile" in image.info
            colours = image.convert("RGBA")
        return (
            same
            and self.profile in (None, has_profile)
            and all(colours.getpixel(place) == pixel for place, pixel in self.pixels.items())
        )


@dataclass(frozen=True)
class File:
    """A file that is stored: its name and its content."""

    name: str
    content: bytes

    def fits(self, kept: Any, content: Content) -> bool:
        """Return whether this is what a stored value refers to."""
        return (kept["$file"]["name"], content(kept["$file"]["sha256"])) == (self.name, self.content)


@dataclass(frozen=True)
class Drawing:
    """A drawing in SVG that is stored: its size in pixels. Nothing in it runs, links or loads."""

    size: tuple[int, int]

    def fits(self, kept: Any, content: Content) -> bool:
        """Return whether this is what a stored value refers to."""
        picture = kept["$picture"]
        drawing = content(picture["sha256"]).decode()
        harmful = re.search(r"<script|<foreignObject|<text|\son\w+=|javascript:|https?://(?!www\.w3\.org)", drawing)
        return (picture["width"], picture["height"]) == self.size and "<path" in drawing and not harmful


@dataclass(frozen=True)
class Case:
    """A value, its JSON, the beginnings of the notes about it, and words that the page of its run shows.

    In the JSON a Picture, a File or a Drawing stands for a reference to one.
    """

    make: Make
    kept: Any
    notes: Sequence[str] = ()
    shown: Sequence[str] = ()


def fits(expected: Any, kept: Any, content: Content) -> bool:
    """Return whether a stored value is what was expected, with the files that it refers to."""
    match expected:
        case Picture() | File() | Drawing():
            return expected.fits(kept, content)
        case {"columns": _, "rows": _} if isinstance(kept, dict) and "types" in kept:  # which have tests of their own
            return fits(expected, {name: part for name, part in kept.items() if name != "types"}, content)
        case dict():
            same = isinstance(kept, dict) and list(expected) == list(kept)
            return same and all(fits(part, kept[name], content) for name, part in expected.items())
        case list():
            same = isinstance(kept, list) and len(expected) == len(kept)
            return same and all(fits(*pair, content) for pair in zip(expected, kept, strict=True))
    return type(expected) is type(kept) and bool(expected == kept)


def table(columns: Sequence[str], *rows: Sequence[Any]) -> Any:
    """Return the JSON of a table."""
    return {"$table": {"columns": list(columns), "rows": [list(row) for row in rows]}}
