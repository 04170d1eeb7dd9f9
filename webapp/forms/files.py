"""What a form refers to: files that were sent before and secrets that are sealed; and which field a file is sent to.

A file that the server has is posted as its SHA-256, a space and its name; a new one as a file under the same name. A
secret that the server has sealed is posted as its token under a name of its own, beside the field for another one.
"""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from jobs import File
from jobs.authoring import media_type_of
from webapp.forms.fields import FILES, Field
from webapp.rendering.files import tame

REFERENCE = re.compile("([0-9a-f]{64}) (.*)", re.DOTALL)


def _nobodys(wanted: Collection[str]) -> Mapping[str, int]:
    return {}


def _closed(token: str) -> None:
    return None


@dataclass(frozen=True)
class OwnInputs:
    """What came with a form: of the files it refers to the sizes of those that may be used, and which were refused.

    `opened` tells the secret that a token stands for, if it is of who has sent the form.
    """

    sizes: Callable[[Collection[str]], Mapping[str, int]] = _nobodys
    refused: Mapping[str, str] = field(default_factory=dict)  # by the names of their fields, in words
    opened: Callable[[str], str | None] = _closed


NO_INPUTS = OwnInputs()


def reference_to(file: File) -> str:
    """What a form posts of a file that the server has."""
    return f"{file.sha256} {file.name}"


def sha256_in(text: str) -> str | None:
    """The hash in what refers to a file."""
    match = REFERENCE.fullmatch(text)
    return match[1] if match else None


def referred(text: str, sizes: Mapping[str, int]) -> File | None:
    """The file that a text refers to, if it is among those with a size."""
    match = REFERENCE.fullmatch(text)
    if match is None or match[1] not in sizes:
        return None
    name = tame(match[2])
    return File(name, sizes[match[1]], match[1], media_type_of(name))


def has_files(fields: Collection[Field]) -> bool:
    """Whether a file can be sent to one of these fields, or to one in them."""
    return any(one.kind in FILES or has_files(_parts(one)) for one in fields)


def file_field_at(fields: Collection[Field], name: str) -> Field | None:
    """The field that takes the files posted under a name."""
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
