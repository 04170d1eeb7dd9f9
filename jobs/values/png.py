"""Write an image of any mode as a PNG file that browsers show as it was meant, with all frames of an animation."""

import io
import math
from array import array
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO, cast

from jobs.values.errors import NoForm
from jobs.values.places import Place

if TYPE_CHECKING:
    from PIL.Image import Image

AS_THEY_ARE = frozenset({"1", "L", "LA", "P", "RGB", "RGBA"})
NUMBERS = frozenset({"F", "I", "I;16", "I;16B", "I;16L", "I;16N"})
# Modes that PNG lacks, and those with the same colours that it has.
EQUIVALENT = {"La": "LA", "PA": "RGBA", "RGBa": "RGBA", "RGBX": "RGB"}
MOVING = frozenset({"AVIF", "GIF", "PNG", "WEBP"})
MOST_FRAMES = 1000
WHITE = 255


def write(image: "Image", file: BinaryIO, most_pixels: int, place: Place) -> tuple[int, int]:
    """Write an image as PNG and return its size in pixels. Raises NoForm if its pixels cannot be read.

    An animation has at most `most_pixels` in all its frames, otherwise only one is written.
    """
    image = _readable(image)
    frames = getattr(image, "n_frames", 1)
    if 1 < frames <= min(MOST_FRAMES, most_pixels // (image.width * image.height)) and image.format in MOVING:
        image.save(file, "PNG", save_all=True, duration=_durations(image, frames))
        return image.size
    if frames > 1 and image.format != "MPO":  # the other images of a photograph are for 3D or previews
        place.note(f"this is image {image.tell() + 1:,} of {frames:,}.")
    shown = _shown(_upright(image), place)
    shown.save(file, "PNG")
    return shown.size


def _readable(image: "Image") -> "Image":
    """Return an image with its pixels. Of one whose file was closed too early, open the file again."""
    try:
        image.load()
        return image
    except Exception as error:  # of a damaged or closed file Pillow may raise anything
        if again := _reopened(image):
            return again
        reason = f"{type(error).__name__}: {error}".removesuffix(": ")
        raise NoForm(f"The image cannot be read ({reason}). Call image.load() before its file is closed.") from None


def _reopened(image: "Image") -> "Image | None":
    from PIL import Image

    try:
        again = Image.open(getattr(image, "filename", ""))
        again.load()
        return again
    except Exception:
        return None


def _durations(image: "Image", frames: int) -> list[float]:
    durations = []
    for number in range(frames):
        image.seek(number)
        image.load()  # some formats know the duration only then
        durations.append(image.info.get("duration", 0))
    image.seek(0)
    return durations


def _upright(image: "Image") -> "Image":
    """Return an image that was opened as its camera was held. One that the task has made stays as it is."""
    from PIL import ImageFile, ImageOps

    return ImageOps.exif_transpose(image) if isinstance(image, ImageFile.ImageFile) else image


def _shown(image: "Image", place: Place) -> "Image":
    """Return an image in a mode that PNG has and browsers show."""
    if image.mode in AS_THEY_ARE:
        return image
    if image.mode in EQUIVALENT:
        return image.convert(EQUIVALENT[image.mode])
    if image.mode in NUMBERS:
        return _scaled(image, place)
    place.note(f"the image was converted from {image.mode} to RGB.")
    return _in_rgb(image)


def _in_rgb(image: "Image") -> "Image":
    """Return the colours of an image in RGB, by its colour profile if it is one of inks."""
    from PIL import ImageCms

    profile, shown = image.info.get("icc_profile"), None
    if image.mode == "CMYK" and profile:
        with suppress(ImageCms.PyCMSError, OSError):  # a damaged profile
            inks, screen = ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
            shown = ImageCms.profileToProfile(image, inks, screen, outputMode="RGB")
    shown = shown or image.convert("RGB")
    shown.info.pop("icc_profile", None)  # it describes the colours that were converted
    return shown


def _scaled(image: "Image", place: Place) -> "Image":
    """Return an image of numbers in shades of grey, from its least number to its largest."""
    numbers = image if image.mode in ("F", "I") else image.convert("I")
    low, high = cast(tuple[float, float], numbers.getextrema())
    if not (math.isfinite(low) and math.isfinite(high)):
        numbers, low, high = _without_gaps(numbers, place)
    if low == high:
        place.note(f"every value of the image is {low:,.6g}.")
        return numbers.convert("L")
    scale = WHITE / (high - low)
    place.note(f"the image's values were scaled: {low:,.6g} is black, {high:,.6g} is white.")
    return numbers.point(lambda value: value * scale + (0.5 - low * scale)).convert("L")


def _without_gaps(image: "Image", place: Place) -> tuple["Image", float, float]:
    """Return an image with its least number where one is missing or infinite, its least and its largest number."""
    from PIL import Image

    values = array("f", image.tobytes())
    known = [value for value in values if math.isfinite(value)] or [0.0]
    low, high = min(known), max(known)
    place.note("pixels without a finite number are black.")
    filled = array("f", (value if math.isfinite(value) else low for value in values))
    return Image.frombytes("F", image.size, filled.tobytes()), low, high
