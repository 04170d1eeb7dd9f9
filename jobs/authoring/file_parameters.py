"""Files as parameters: what a task gets of one, and what is kept of it."""

import hashlib
import mimetypes
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, BinaryIO

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError
from pydantic_core import CoreSchema, core_schema

MB = 1_000_000
REFERENCE = "$file"
LONGEST_NAME = 200
# Under which whoever calls a task says, as the context of its parameters' validation, how their files are opened.
OPEN = "open"
WORDS = {"image/*": "any image", "audio/*": "any sound", "video/*": "any video", "text/*": "any text"}

# What this machine has learned of types beside Python's own would make the same name another type elsewhere.
_types = mimetypes.MimeTypes()


class _Kept(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    size: Annotated[int, Field(ge=0)]
    name: Annotated[str, Field(max_length=LONGEST_NAME)]
    media_type: Annotated[str, Field(max_length=100)]


def _nowhere(sha256: str) -> BinaryIO:
    raise FileNotFoundError(sha256)


@dataclass(frozen=True)
class File:
    """A file that a task is given: `name`, `size` in bytes, `sha256` and `media_type`, which its name tells.

    In a test, or where a task is called as a plain function, `File.at("table.csv")` makes one of a path.
    """

    name: str
    size: int
    sha256: str
    media_type: str
    _open: Callable[[str], BinaryIO] = field(default=_nowhere, repr=False, compare=False)

    @classmethod
    def at(cls, path: str | Path) -> "File":
        """The file at a path. Raises OSError where there is none to read."""
        source = Path(path)
        with source.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
            size = stream.tell()
        return cls(source.name, size, digest, media_type_of(source.name), lambda _sha256: source.open("rb"))

    def open(self) -> BinaryIO:
        """Its content, as a stream to read and to seek in. Raises FileNotFoundError if it is not kept any more."""
        try:
            return self._open(self.sha256)
        except FileNotFoundError:
            raise FileNotFoundError(f"{self.name} cannot be read: it is not kept any more") from None

    def kept(self) -> dict[str, Any]:
        """What a run's parameters hold of it."""
        names = ("sha256", "size", "name", "media_type")
        return {REFERENCE: {name: getattr(self, name) for name in names}}

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        written = core_schema.plain_serializer_function_ser_schema(cls.kept)
        return core_schema.with_info_plain_validator_function(_validated, serialization=written)

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "object", "format": "file"}


@dataclass(frozen=True)
class FileField:
    """Stands beside a File, or a list of them, in `Annotated[...]` and says which files are taken.

    `accept` are endings of names (".csv") and media types ("text/plain", "image/*"); `max_mb` is the most that one
    file may have, in millions of bytes.
    """

    accept: tuple[str, ...] = ()
    max_mb: float | None = None

    @property
    def max_bytes(self) -> int | None:
        return None if self.max_mb is None else int(self.max_mb * MB)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._checked, handler(source))

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        limits = {"accept": list(self.accept), "maxBytes": self.max_bytes}
        return {**handler(core), **{name: value for name, value in limits.items() if value}}

    def _checked(self, value: Any) -> Any:
        for file in value if isinstance(value, list | tuple | set | frozenset) else [value]:
            if isinstance(file, File):
                self._check(file)
        return value

    def _check(self, file: File) -> None:
        if self.max_bytes is not None and file.size > self.max_bytes:
            raise ValueError(f"{file.name} is larger than {self.max_mb:,} MB. Choose a smaller file.")
        if self.accept and not any(_fits(file, one.lower()) for one in self.accept):
            raise ValueError(f"{file.name} is of another kind. Choose one of these: {kinds_in_words(self.accept)}.")


def kinds_in_words(accept: Sequence[str]) -> str:
    """The kinds of files that a field takes, as people call them where they have a word for them."""
    return ", ".join(WORDS.get(kind.strip(), kind.strip()) for kind in accept)


def media_type_of(name: str) -> str:
    """The media type that a file's name tells."""
    return _types.guess_type(f"file:{name}")[0] or "application/octet-stream"


def file_in(value: object, opened_by: Callable[[str], BinaryIO] = _nowhere) -> File | None:
    """The file that a kept value refers to, if it has the form of a reference."""
    if not isinstance(value, dict) or set(value) != {REFERENCE}:
        return None
    try:
        kept = _Kept.model_validate(value[REFERENCE])
    except ValidationError:
        return None
    return File(kept.name, kept.size, kept.sha256, kept.media_type, opened_by)


def files_in(value: Any) -> Iterator[File]:
    """All files that kept parameters refer to."""
    if file := file_in(value):
        yield file
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from files_in(part)


def _validated(value: Any, info: core_schema.ValidationInfo) -> File:
    if isinstance(value, File):
        return value
    file = file_in(value, (info.context or {}).get(OPEN, _nowhere))
    if file is None:
        raise ValueError("Choose a file.")
    return file


def _fits(file: File, wanted: str) -> bool:
    if wanted.startswith("."):
        return file.name.lower().endswith(wanted)
    kind, _, part = wanted.partition("/")
    return file.media_type == wanted or (part == "*" and file.media_type.startswith(f"{kind}/"))
