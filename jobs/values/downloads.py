"""Downloads: files that a task returns or emits go to the file store; the stored value is a reference to the file."""

import io
import re
import stat
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, BinaryIO

from jobs.values.errors import NoForm, ResultError
from jobs.values.files import LONGEST_HEXADECIMAL, LONGEST_TEXT, hexadecimal, text_of
from jobs.values.images import MOST_PIXELS, REFERENCE, Keep, Picture
from jobs.values.kept_file import KeptFile
from jobs.values.media_types import ANY, media_type_of
from jobs.values.places import Place
from jobs.values.text import keepable

# Limits on the total output of one attempt.
MOST_FILES = 100
MOST_BYTES = 500_000_000
LONGEST_NAME = 100
ADVICE = "Return str(path) to show a path as text."
MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9.+-]{0,40}/[a-z0-9][a-z0-9.+-]{0,50}", re.IGNORECASE)
# Formats that browsers display, and that Pillow recognises by their first bytes.
IMAGES = {"PNG": "image/png", "JPEG": "image/jpeg", "GIF": "image/gif", "WEBP": "image/webp"}


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


class DownloadStore:
    """Stores downloads and bytes as files and returns references to them."""

    def __init__(self, keep: Keep) -> None:
        self._keep = keep
        self._files = 0
        self._bytes = 0

    def download(self, file: Download, place: Place) -> Any:
        """Store a file. Raises NoForm for one that cannot be read, and ResultError for one too many or too large."""
        with _opened(file.content) as stream:
            self._count(stream)
            return self._stored(file, stream, place).stored()

    def content(self, content: bytes, place: Place) -> Any:
        """Return a reference to the bytes of an image, the text that bytes encode, or otherwise a file."""
        stream = io.BytesIO(content)
        media_type, size = _picture(stream)
        if size is not None:
            self._count(stream)
            stored = self._keep(stream, media_type.replace("/", "."), media_type)
            picture = Picture(sha256=stored.sha256, width=size[0], height=size[1])
            return {REFERENCE: picture.model_dump(exclude_none=True)}
        text = text_of(content)
        if text is not None and len(content) <= LONGEST_TEXT:
            return text
        if place.in_cell or len(content) <= LONGEST_HEXADECIMAL:
            return hexadecimal(content, place)
        place.note("bytes that are too many to show, or that are not text, were saved as a file.")
        return self.download(Download(content), place)

    def _stored(self, file: Download, stream: BinaryIO, place: Place) -> KeptFile:
        name = _name(file, place)
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


def _opened(content: Any) -> BinaryIO:
    match content:
        case bytes() | bytearray() | memoryview():
            return io.BytesIO(content)
        case io.BytesIO():
            return io.BytesIO(content.getvalue())
        case Path():
            return _opened_path(content)
    advice = "Pass a Path, or bytes such as text.encode()."
    raise NoForm(f"The content of this Download is of type {type(content).__name__}. {advice}")


def _opened_path(content: Path) -> BinaryIO:
    try:
        # Reading a pipe could block forever, and a device may have no end.
        if not stat.S_ISREG(content.stat().st_mode):
            raise NoForm(f"{content} is not a regular file. {ADVICE}")
        return content.open("rb")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise NoForm(f"{content}: {reason}. {ADVICE}") from None


def _name(file: Download, place: Place) -> str:
    given = PurePath(file.name or (file.content.name if isinstance(file.content, Path) else "")).name
    try:
        given.encode()
    except UnicodeEncodeError:
        place.note("the parts of a file name that are not UTF-8 were replaced.")
        given = given.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return keepable(given)[-LONGEST_NAME:] or "file"


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
