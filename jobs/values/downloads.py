"""Downloads: files that a task returns or emits go to the file store; the stored value is a reference to the file."""

import io
import re
import stat
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Annotated, Any, BinaryIO

from pydantic import BaseModel, ConfigDict, Field

from jobs.values.images import MOST_PIXELS, REFERENCE, Keep, Picture
from jobs.values.json_value import ResultError
from jobs.values.marks import model_in
from jobs.values.media_types import ANY, media_type_of
from jobs.values.text import keepable

FILE = "$file"
# Limits on the total output of one attempt.
MOST_FILES = 100
MOST_BYTES = 500_000_000
LONGEST_NAME = 100
MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9.+-]{0,40}/[a-z0-9][a-z0-9.+-]{0,50}", re.IGNORECASE)
# Formats that browsers display, and that Pillow recognises by their first bytes.
IMAGES = {"PNG": "image/png", "JPEG": "image/jpeg", "GIF": "image/gif", "WEBP": "image/webp"}

Length = Annotated[int, Field(ge=1, le=MOST_PIXELS)]


@dataclass(frozen=True)
class Download:
    """A file for the run's owner to download: `Download(Path("report.pdf"))`, `Download(content, name="report.pdf")`.

    `content` is a path or bytes. `name` is the file name to save as (default: the path's name). `media_type` defaults
    to the type that the name's extension implies. A PNG, JPEG, GIF or WebP file is also shown as an image. One attempt
    can produce up to 100 files and 500 MB. A plain `Path` in a result is treated as a Download.
    """

    content: bytes | Path
    name: str = ""
    media_type: str = ""


class KeptFile(BaseModel):
    """A reference to a file in the store; for an image, with its size in pixels."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    size: Annotated[int, Field(ge=0, le=MOST_BYTES)]
    name: Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]
    media_type: Annotated[str, Field(max_length=100)]
    width: Length | None = None
    height: Length | None = None


def download_in(value: object) -> KeptFile | None:
    """Return the file reference in a stored value, or None. Check it against the run's files before trusting it."""
    return model_in(value, FILE, KeptFile)


class DownloadStore:
    """Stores downloads and paths as files and replaces them with references; other values stay unchanged."""

    def __init__(self, keep: Keep) -> None:
        self._keep = keep
        self._files = 0
        self._bytes = 0

    def kept(self, value: Any) -> Any:
        """Return the form of a value to store. Raises ResultError for a file that cannot be stored."""
        if isinstance(value, Path):
            value = Download(value)
        if isinstance(value, bytes):
            return self._bytes_kept(value)
        if not isinstance(value, Download):
            return value
        with _opened(value.content) as stream:
            self._count(stream)
            return {FILE: self._stored(value, stream).model_dump(exclude_none=True)}

    def _bytes_kept(self, content: bytes) -> Any:
        """Store the bytes of an image, or decode them as text. Raises ResultError when they are neither."""
        stream = io.BytesIO(content)
        media_type, size = _picture(stream)
        if size is None:
            return _legible(content)
        self._count(stream)
        stored = self._keep(stream, media_type.replace("/", "."), media_type)
        return {REFERENCE: Picture(sha256=stored.sha256, width=size[0], height=size[1]).model_dump(exclude_none=True)}

    def _stored(self, file: Download, stream: BinaryIO) -> KeptFile:
        name = _name(file)
        picture, size = _picture(stream)
        media_type = picture or _media_type(file.media_type or "", name)
        stored = self._keep(stream, name, media_type)
        width, height = size or (None, None)
        return KeptFile(
            sha256=stored.sha256, size=stored.size, name=name, media_type=media_type, width=width, height=height
        )

    def _count(self, stream: BinaryIO) -> None:
        self._files += 1
        self._bytes += stream.seek(0, io.SEEK_END)
        stream.seek(0)
        if self._files > MOST_FILES:
            raise ResultError(f"A run can produce at most {MOST_FILES} files. Put them into one archive.")
        if self._bytes > MOST_BYTES:
            raise ResultError(
                f"The files of this run are too large: {self._bytes:,} bytes. The limit is {MOST_BYTES:,}."
            )


def _opened(content: bytes | Path) -> BinaryIO:
    if isinstance(content, bytes):
        return io.BytesIO(content)
    try:
        # Reading a pipe could block forever, and a device may have no end.
        if not stat.S_ISREG(content.stat().st_mode):
            raise ResultError(f"{content} is not a regular file. Return str(path) to show a path as text.")
        return content.open("rb")
    except OSError as error:
        reason = error.strerror or "it cannot be read"
        raise ResultError(f"{content}: {reason}. Return str(path) to show a path as text.") from None


def _legible(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        advice = "Return them as a file: Download(content, name=...)."
        raise ResultError(
            f"These {len(content):,} bytes are neither text nor an image that can be shown. {advice}"
        ) from None


def _name(file: Download) -> str:
    given = file.name or (file.content.name if isinstance(file.content, Path) else "")
    return keepable(PurePath(given).name)[-LONGEST_NAME:] or "file"


def _media_type(said: str, name: str) -> str:
    told = said or media_type_of(name)
    # Only the content decides that a file is an image, never its name or what the task says.
    return told.lower() if MEDIA_TYPE.fullmatch(told) and not told.lower().startswith("image/") else ANY


def _picture(stream: BinaryIO) -> tuple[str, tuple[int, int]] | tuple[str, None]:
    from PIL import Image

    try:
        with Image.open(stream, formats=tuple(IMAGES)) as image:
            kind, size = IMAGES[str(image.format)], image.size
            image.verify()
    except Exception:  # any error from Pillow means that this is not an image
        return "", None
    finally:
        stream.seek(0)
    return (kind, size) if size[0] * size[1] <= MOST_PIXELS else ("", None)
