"""Convert and resize images."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from jobs import Download, File, FileField, FinalFailure, Progress, Show, Slider, Workspace, task

if TYPE_CHECKING:
    from ._images import Converted

EXAMPLES = Path(__file__).with_name("examples")
ENDINGS = {"PNG": "png", "JPEG": "jpg", "WebP": "webp"}

Format = Literal["JPEG", "PNG", "WebP"]


@task(
    title="Convert images",
    group="Images",
    tags=["png", "jpeg", "webp", "resize"],
    icon="image",
    timeout=3600,
    memory=1500,
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
    from ._images import NotConverted, converted, save

    path, written = workspace / "images.zip", workspace / "image"
    rows: list[dict[str, Any]] = []
    free_name = _namer(ENDINGS[format])
    with zipfile.ZipFile(path, "w") as archive:
        for number, file in enumerate(images):
            progress(number / len(images), file.name)
            try:
                for image in converted(file, format, longest_side):
                    with written.open("wb") as target:
                        save(image, target, format, quality)
                    archive.write(written, name := free_name(file.name))
                    rows.append(_row(file, name, image))
            except NotConverted as error:
                rows.append({"file": file.name, "became": "", "note": str(error)})
    if not any(row["became"] for row in rows):
        raise FinalFailure(f"None of the files can be converted. {rows[0]['file']}: {rows[0]['note']}")
    return Download(path, "images.zip", "application/zip"), rows


def _row(file: File, name: str, image: "Converted") -> dict[str, Any]:
    width, height = image.size
    notes = {"note": " ".join(image.notes)} if image.notes else {}
    return {"file": file.name, "became": name, "width": width, "height": height, **notes}


def _namer(ending: str) -> Callable[[str], str]:
    """Return a function that gives each file a unique name in the archive, with a number added to duplicates."""
    taken: set[str] = set()

    def free_name(given: str) -> str:
        stem = Path(given.replace("\\", "/")).stem.strip(". ") or "image"
        number, name = 1, f"{stem}.{ending}"
        while name.casefold() in taken:
            number += 1
            name = f"{stem}-{number}.{ending}"
        taken.add(name.casefold())
        return name

    return free_name
