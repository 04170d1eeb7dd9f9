"""References in forms to stored files and sealed secrets, and lookup of file fields.

A stored file is posted as its SHA-256, a space and its name; a new one as a file under the same field name. A sealed
secret is posted as its token under a separate name, next to the input for a new one.
"""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from jobs import File
from jobs.values import media_type_of
from webapp.forms.fields import FILES, Field
from webapp.rendering.files import safe_filename

REFERENCE = re.compile("([0-9a-f]{64}) (.*)", re.DOTALL)


def _nobodys(wanted: Collection[str]) -> Mapping[str, int]:
    return {}


def _closed(token: str) -> None:
    return None


@dataclass(frozen=True)
class OwnInputs:
    """The stored inputs that a form may use: sizes of the user's files, and messages for refused ones.

    `opened` returns the secret for a token, or None if it does not belong to the user who posted the form.
    """

    sizes: Callable[[Collection[str]], Mapping[str, int]] = _nobodys
    refused: Mapping[str, str] = field(default_factory=dict)  # messages by field name
    opened: Callable[[str], str | None] = _closed


NO_INPUTS = OwnInputs()


def reference_to(file: File) -> str:
    """Return the posted reference to a stored file."""
    return f"{file.sha256} {file.name}"


def sha256_in(text: str) -> str | None:
    """Return the hash in a file reference, or None."""
    match = REFERENCE.fullmatch(text)
    return match[1] if match else None


def referred(text: str, sizes: Mapping[str, int]) -> File | None:
    """Return the file that a reference names if its size is known, otherwise None."""
    match = REFERENCE.fullmatch(text)
    if match is None or match[1] not in sizes:
        return None
    name = safe_filename(match[2])
    return File(name, sizes[match[1]], match[1], media_type_of(name))


def has_files(fields: Collection[Field]) -> bool:
    """Return whether any of these fields or their parts takes files."""
    return any(one.kind in FILES or has_files(_parts(one)) for one in fields)


def file_field_at(fields: Collection[Field], name: str) -> Field | None:
    """Return the file field with this posted name, or None."""
    first, _, rest = name.partition(".")
    for one in fields:
        if one.name == first and not rest:
            return one if one.kind in FILES else None
        if one.name == first and one.item:
            _row, _, inside = rest.partition(".")
            return file_field_at((one.item.placed("row"),), f"row.{inside}" if inside else "row")
        if one.name == first:
            return file_field_at(_parts(one), rest)
    return None


def _parts(one: Field) -> tuple[Field, ...]:
    inside = (one.item,) if one.item else ()
    return (*one.children, *inside, *(part for variant in one.variants for part in variant.group.children))
