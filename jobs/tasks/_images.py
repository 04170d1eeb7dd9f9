"""Read and write images, in a module of its own so that only the process that converts them imports Pillow."""

import io
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO, Literal, cast

from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from jobs import File

MOST_PIXELS = 50_000_000  # of all frames together
MOST_PAGES = 100
LIMIT = f"The limit is {MOST_PIXELS:,} pixels."
# Security: only some of the formats that Pillow can read, because it starts other programs for a few of them.
READ = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
PAGED = "TIFF"
ANIMATED = frozenset({"PNG", "WebP"})
# JPEG has no transparency.
WITHOUT_TRANSPARENCY = "JPEG"
LONGEST_SIDE = {"JPEG": 65_535, "WebP": 16_383}
UNREADABLE = (OSError, SyntaxError, ValueError, EOFError)
GREY = frozenset({"I;16", "I;16B", "I;16L", "I;16N"})
NUMBERS = frozenset({"I", "F"})

Format = Literal["JPEG", "PNG", "WebP"]


class NotConverted(Exception):
    """An image that cannot be converted; the message gives the reason."""


@dataclass(frozen=True)
class Converted:
    """An image as it is written: one or more frames, their times in milliseconds, and notes on what was changed."""

    frames: list[Image.Image]
    durations: tuple[float, ...] = ()
    loop: int = 1
    profile: bytes | None = None
    notes: tuple[str, ...] = ()

    @property
    def size(self) -> tuple[int, int]:
        return self.frames[0].size


def converted(file: File, format: Format, longest_side: int | None) -> Iterator[Converted]:
    """Yield an image upright, as its EXIF data says, and shrunk to the longest side; of a TIFF, every page.

    Raises NotConverted for one that cannot be read.
    """
    try:
        with file.open() as stream, Image.open(stream, formats=READ) as image:
            _check(image)
            if longest_side:
                image.draft("RGB", (longest_side, longest_side))
            frames = getattr(image, "n_frames", 1) if image.format != "MPO" else 1  # the others are previews
            if image.format == PAGED and frames > 1:
                yield from _pages(image, frames, format, longest_side)
            elif frames > 1:
                yield _animation(image, frames, format, longest_side)
            else:
                yield _frame(image, format, longest_side)
    except UnidentifiedImageError:
        raise NotConverted("This is not an image in a supported format.") from None
    except Image.DecompressionBombError:  # Pillow refuses to open it
        raise NotConverted(f"The image is too large. {LIMIT}") from None
    except MemoryError:
        raise NotConverted("The image needs too much memory. Choose a smaller one.") from None
    except UNREADABLE as error:
        raise NotConverted(f"This image is damaged: {error}") from None


def save(image: Converted, target: BinaryIO, format: Format, quality: int) -> None:
    """Write an image. Raises NotConverted for one that the format cannot hold."""
    if max(image.size) > (most := LONGEST_SIDE.get(format, MOST_PIXELS)):
        raise NotConverted(f"{format} allows at most {most:,} pixels a side. Choose a smaller longest side.")
    first, *rest = image.frames
    moving = {"save_all": True, "append_images": rest, "duration": list(image.durations), "loop": image.loop}
    first.save(target, format.upper(), quality=quality, icc_profile=image.profile, **(moving if rest else {}))


def _check(image: Image.Image) -> None:
    if image.width * image.height > MOST_PIXELS:
        raise NotConverted(f"The image is too large: {image.width:,} × {image.height:,} pixels. {LIMIT}")


def _pages(image: Image.Image, count: int, format: Format, longest_side: int | None) -> Iterator[Converted]:
    for number in range(min(count, MOST_PAGES)):
        image.seek(number)
        _check(image)
        page = _frame(image, format, longest_side)
        of_all = f"Page {number + 1:,} of {count:,}."
        yield replace(page, notes=(of_all, *page.notes))


def _animation(image: Image.Image, count: int, format: Format, longest_side: int | None) -> Converted:
    """Return all frames where the format can hold them, and otherwise the first."""
    first = _frame(image, format, longest_side)
    if format not in ANIMATED or count * image.width * image.height > MOST_PIXELS:
        return replace(first, notes=(f"The first of {count:,} frames.", *first.notes))
    frames, durations = [], []
    for number in range(count):
        image.seek(number)
        frames.append(_frame(image, format, longest_side).frames[0])
        durations.append(float(image.info.get("duration", 0)))
    return replace(first, frames=frames, durations=tuple(durations), loop=image.info.get("loop", 1))


def _frame(image: Image.Image, format: Format, longest_side: int | None) -> Converted:
    deep = any("16" in str(tile[3]) for tile in getattr(image, "tile", ()))  # Pillow reads colours of 16 bits as 8
    image.load()
    upright = ImageOps.exif_transpose(image)
    shown, notes = _in_eight_bits(upright, deep, keep=format == "PNG" and not longest_side)
    if longest_side:
        shown.thumbnail((longest_side, longest_side), Image.Resampling.LANCZOS)
    if shown.mode in GREY:
        return Converted([shown], notes=notes)
    coloured, profile, more = _in_colour(shown)
    if coloured.mode == "RGBA" and format == WITHOUT_TRANSPARENCY:
        paper = Image.new("RGB", coloured.size, "white")
        paper.paste(coloured, mask=coloured.getchannel("A"))
        coloured = paper
    return Converted([coloured], profile=profile, notes=(*notes, *more))


def _in_eight_bits(image: Image.Image, deep: bool, keep: bool) -> tuple[Image.Image, tuple[str, ...]]:
    """Return an image with at most 8 bits a channel, or unchanged grey of 16 bits if that is to be kept."""
    fewer = ("16 bits a channel became 8.",)
    if image.mode in GREY:
        # Pillow cuts numbers above 255 off instead of scaling them.
        return (image, ()) if keep else (image.convert("I").point(lambda value: value / 256).convert("L"), fewer)
    if image.mode not in NUMBERS:
        return image, fewer if deep else ()
    least, most = cast(tuple[float, float], image.convert("F").getextrema())
    if not (math.isfinite(least) and math.isfinite(most)):
        raise NotConverted("Some of its numbers are not finite, so it has no darkest and no lightest grey.")
    scale = 255 / (most - least or 1)
    return image.convert("F").point(lambda value: value * scale - least * scale).convert("L"), (
        f"Numbers from {least:g} to {most:g} became grey from black to white.",
    )


def _in_colour(image: Image.Image) -> tuple[Image.Image, bytes | None, tuple[str, ...]]:
    """Return an image as RGB or RGBA, with its colour profile if it has one for these, and notes."""
    profile = image.info.get("icc_profile") or b""
    mode = "RGBA" if image.has_transparency_data else "RGB"
    if image.mode == "La":
        image = image.convert("LA")
    space = _colour_space(profile)
    if space == "RGB " and image.mode not in ("CMYK", "LAB"):
        return image.convert(mode), profile, ()
    if space in ("CMYK", "GRAY") and image.mode in ("CMYK", "L"):
        source, target = ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
        try:
            found = ImageCms.profileToProfile(image, source, target, outputMode="RGB")
        except ImageCms.PyCMSError:
            return image.convert(mode), None, ("The colour profile was left out.",)
        assert found is not None
        return found, None, ()
    return image.convert(mode), None, ("The colour profile was left out.",) if profile else ()


def _colour_space(profile: bytes) -> str:
    try:
        return str(ImageCms.ImageCmsProfile(io.BytesIO(profile)).profile.xcolor_space) if profile else ""
    except (OSError, ImageCms.PyCMSError):
        return ""
