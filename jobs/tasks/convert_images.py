"""Convert and resize images."""

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from jobs import Download, File, FileField, FinalFailure, Progress, Show, Slider, Workspace, task

if TYPE_CHECKING:
    from PIL import Image

EXAMPLES = Path(__file__).with_name("examples")
MOST_PIXELS = 50_000_000
LIMIT = f"The limit is {MOST_PIXELS:,} pixels."
# Security: only some of the formats that Pillow can read, because it starts other programs for a few of them.
READ = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
ENDINGS = {"PNG": "png", "JPEG": "jpg", "WebP": "webp"}
WITHOUT_TRANSPARENCY = "JPEG"
UNREADABLE = (OSError, SyntaxError, ValueError)

Format = Literal["JPEG", "PNG", "WebP"]


class NotConverted(Exception):
    """An image that cannot be converted; the message gives the reason."""


@task(
    title="Convert images",
    timeout=3600,
    example={
        "images": [File.at(EXAMPLES / "dusk.png"), File.at(EXAMPLES / "lagoon.png")],
        "format": "WebP",
        "longest_side": 320,
    },
)
def convert_images(
    images: Annotated[list[File], Field(min_length=1, max_length=200), FileField(accept=("image/*",), max_mb=100)],
    format: Format = "JPEG",
    longest_side: Annotated[int | None, Field(ge=1, le=10_000), Show(unit="px", placeholder="unchanged")] = None,
    quality: Annotated[int, Field(ge=1, le=100, description="For JPEG and WebP."), Slider, Show(advanced=True)] = 85,
    *,
    workspace: Workspace,
    progress: Progress,
) -> tuple[Any, ...]:
    """Convert images to JPEG, PNG or WebP, rotate them upright, resize them, and download them as one ZIP file."""
    path = workspace / "images.zip"
    rows: list[dict[str, Any]] = []
    with zipfile.ZipFile(path, "w") as archive:
        names = _free_names(images, ENDINGS[format])
        for number, (file, name) in enumerate(zip(images, names, strict=True)):
            progress(number / len(images), file.name)
            try:
                image = _upright(file, longest_side)
            except NotConverted as error:
                rows.append({"file": file.name, "became": "", "note": str(error)})
                continue
            with archive.open(name, "w") as target:
                _save(image, target, format, quality)
            rows.append({"file": file.name, "became": name, "width": image.width, "height": image.height})
    if not any(row["became"] for row in rows):
        raise FinalFailure(f"None of the files can be converted. {rows[0]['file']}: {rows[0]['note']}")
    return Download(path, "images.zip", "application/zip"), rows


def _upright(file: File, longest_side: int | None) -> "Image.Image":
    """Return the image rotated as its EXIF data says, and shrunk to the longest side."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with file.open() as stream, Image.open(stream, formats=READ) as image:
            if image.width * image.height > MOST_PIXELS:
                raise NotConverted(f"The image is too large: {image.width:,} × {image.height:,} pixels. {LIMIT}")
            if longest_side:
                image.draft("RGB", (longest_side, longest_side))
            upright = ImageOps.exif_transpose(image)
            if longest_side:
                upright.thumbnail((longest_side, longest_side), Image.Resampling.LANCZOS)
            return upright
    except UnidentifiedImageError:
        raise NotConverted("This is not an image in a supported format.") from None
    except Image.DecompressionBombError:  # Pillow refuses to open it
        raise NotConverted(f"The image is too large. {LIMIT}") from None
    except UNREADABLE as error:
        raise NotConverted(f"This image is damaged: {error}") from None


def _save(image: "Image.Image", target: Any, format: Format, quality: int) -> None:
    from PIL import Image

    transparent = image.has_transparency_data
    image = image.convert("RGBA" if transparent else "RGB")
    if transparent and format == WITHOUT_TRANSPARENCY:
        paper = Image.new("RGB", image.size, "white")
        paper.paste(image, mask=image.getchannel("A"))
        image = paper
    image.save(target, format.upper(), quality=quality)


def _free_names(files: list[File], ending: str) -> Iterator[str]:
    """Yield a unique name in the archive for each file, with a number added to duplicates."""
    taken: set[str] = set()
    for file in files:
        stem = Path(file.name.replace("\\", "/")).stem.strip(". ") or "image"
        number, name = 1, f"{stem}.{ending}"
        while name.casefold() in taken:
            number += 1
            name = f"{stem}-{number}.{ending}"
        taken.add(name.casefold())
        yield name
