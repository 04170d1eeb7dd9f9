"""File parameters: the object that a task receives, and the reference that is stored."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from jobs.values.kept_file import KeptFile, kept_file_in
from jobs.values.media_types import media_type_of

MB = 1_000_000
# The key in the validation context that holds the function to open files with.
OPEN = "open"
WORDS = {"image/*": "any image", "audio/*": "any sound", "video/*": "any video", "text/*": "any text"}


def _not_stored(sha256: str) -> BinaryIO:
    raise FileNotFoundError(sha256)


@dataclass(frozen=True)
class File:
    """A file passed to a task: `name`, `size` in bytes, `sha256`, and `media_type`, which is guessed from the name.

    Use `File.at("table.csv")` to create one from a path, in a test or to call a task as a plain function.
    """

    name: str
    size: int
    sha256: str
    media_type: str
    _open: Callable[[str], BinaryIO] = field(default=_not_stored, repr=False, compare=False)

    @classmethod
    def at(cls, path: str | Path) -> "File":
        """Return the file at a path. Raises OSError when it cannot be read."""
        source = Path(path)
        with source.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
            size = stream.tell()
        return cls(source.name, size, digest, media_type_of(source.name), lambda _sha256: source.open("rb"))

    def open(self) -> BinaryIO:
        """Open the content as a seekable binary stream. Raises FileNotFoundError if the file has been deleted."""
        try:
            return self._open(self.sha256)
        except FileNotFoundError:
            raise FileNotFoundError(f"{self.name} cannot be read: the file has been deleted") from None

    def kept(self) -> dict[str, Any]:
        """Return the reference that is stored in the run's parameters."""
        kept = KeptFile(sha256=self.sha256, size=self.size, name=self.name, media_type=self.media_type)
        return kept.stored()

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        written = core_schema.plain_serializer_function_ser_schema(cls.kept)
        return core_schema.with_info_plain_validator_function(_validated, serialization=written)

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "object", "format": "file"}


@dataclass(frozen=True)
class FileField:
    """Constraints on the files that a field accepts: put it beside a File, or a list of them, in `Annotated[...]`.

    `accept` lists file extensions (".csv") and media types ("text/plain", "image/*"); `max_mb` is the maximum size of
    one file, in millions of bytes.
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
        if words := problem_with(file, self.accept, self.max_bytes):
            raise ValueError(words)


def problem_with(file: File, accept: Sequence[str], max_bytes: int | None) -> str | None:
    """Return why a field with these constraints refuses a file, or None if it takes it."""
    if max_bytes is not None and file.size > max_bytes:
        return f"{file.name} is larger than {max_bytes / MB:,.10g} MB. Choose a smaller file."
    if accept and not any(_fits(file, one.lower()) for one in accept):
        return f"{file.name} is not an accepted type. Choose one of: {kinds_in_words(accept)}."
    return None


def kinds_in_words(accept: Sequence[str]) -> str:
    """Return the accepted file types as a readable list, in plain words where there are some."""
    return ", ".join(WORDS.get(kind.strip(), kind.strip()) for kind in accept)


def file_in(value: object, opened_by: Callable[[str], BinaryIO] = _not_stored) -> File | None:
    """Return the file that a stored value refers to, or None if the value is not a file reference."""
    kept = kept_file_in(value)
    return File(kept.name, kept.size, kept.sha256, kept.media_type, opened_by) if kept else None


def files_in(value: Any) -> Iterator[File]:
    """Yield every file that stored parameters refer to."""
    if file := file_in(value):
        yield file
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from files_in(part)


def _validated(value: Any, info: core_schema.ValidationInfo) -> File:
    if isinstance(value, File):
        return value
    file = file_in(value, (info.context or {}).get(OPEN, _not_stored))
    if file is None:
        raise ValueError("Choose a file.")
    return file


def _fits(file: File, wanted: str) -> bool:
    if wanted.startswith("."):
        return file.name.lower().endswith(wanted)
    kind, _, part = wanted.partition("/")
    return file.media_type == wanted or (part == "*" and file.media_type.startswith(f"{kind}/"))
