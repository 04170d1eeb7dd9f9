"""A task's parameters from JSON.

The values are turned into what a browser would post for them and read as a form is. The API therefore accepts and
refuses the same values as the form, in the same words. What a form cannot even express, such as a list for a number or
a name that no parameter has, is refused before.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from pydantic import BaseModel

from jobs.authoring import Task
from webapp import forms
from webapp.api import messages
from webapp.api.body import pointer
from webapp.forms import Field, posted_of
from webapp.rendering.files import safe_filename
from webapp.runs.own_inputs import own_inputs
from webapp.runs.uploads import Received

FILE = "$file"
SHA256 = re.compile("[0-9a-f]{64}")


class Read(NamedTuple):
    """The parameters, or None and the messages by JSON pointer; `given` names the parameters that were sent."""

    parameters: BaseModel | None
    errors: dict[str, str]
    given: frozenset[str] = frozenset()


def read(task: Task, values: Mapping[str, Any], sent: Received | None = None) -> Read:
    """Validate the parameters of a task: JSON values, and what a multipart form has sent beside them."""
    fields = forms.fields_of(task)
    whole = Field("", "", "group", children=fields)
    if wrong := dict(_misshapen(whole, values, "")) | dict(_misplaced(fields, values, sent) if sent else ()):
        return Read(None, wrong)
    posted = posted_of(fields, _completed(values))
    for name, text in sent.posted.items(multi=True) if sent else ():
        posted.add(name, text)
    parameters, form = forms.read(task, posted, sent.own if sent else own_inputs())
    pointers = {_pointer(whole, values, name.split(".") if name else []): text for name, text in form.errors.items()}
    return Read(parameters, pointers, frozenset(values) | frozenset(sent.posted if sent else ()))


def _misplaced(fields: Iterable[Field], values: Mapping[str, Any], sent: Received) -> Iterator[tuple[str, str]]:
    """Yield a pointer and a message for each part of a multipart form that belongs to no parameter or repeats one."""
    kinds = {field.name: field.kind for field in fields}
    for name in (*sent.posted, *sent.unknown):
        first = name.partition(".")[0]
        if first not in kinds or name in sent.unknown:
            yield pointer(name), messages.UNKNOWN
        elif first in values and kinds[first] != "files":
            yield pointer(first), messages.TWICE


def _misshapen(field: Field, value: Any, at: str) -> Iterator[tuple[str, str]]:
    """Yield a pointer and a message for each part of a value that has no place in its field."""
    if value is None:
        if not field.optional:
            yield at, messages.NO_NULL
        return
    yield from SHAPES.get(field.kind, _single)(field, value, at)


def _single(field: Field, value: Any, at: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, list | dict):
        yield at, messages.NO_SINGLE


def _switch(field: Field, value: Any, at: str) -> Iterator[tuple[str, str]]:
    if not isinstance(value, bool):
        yield at, messages.NO_BOOL


def _file(field: Field, value: Any, at: str) -> Iterator[tuple[str, str]]:
    if _reference(value) is None:
        yield at, messages.NO_FILE


def _reference(value: Any) -> Mapping[str, Any] | None:
    """Return what a reference to a file names, or None if the value is no reference."""
    kept = value.get(FILE) if isinstance(value, dict) and len(value) == 1 else None
    is_one = isinstance(kept, dict) and SHA256.fullmatch(str(kept.get("sha256")))
    return kept if is_one else None


def _completed(value: Any) -> Any:
    """Return the values with whole references to files. What they say beside hash and name does not count."""
    if kept := _reference(value):
        name = safe_filename(str(kept.get("name") or "file"))
        return {FILE: {"sha256": kept["sha256"], "size": 0, "name": name, "media_type": ""}}
    if isinstance(value, dict):
        return {name: _completed(part) for name, part in value.items()}
    return [_completed(part) for part in value] if isinstance(value, list) else value


def _list(field: Field, value: Any, at: str) -> Iterator[tuple[str, str]]:
    if not isinstance(value, list):
        yield at, messages.NO_LIST
        return
    for n, one in enumerate(value):
        if field.kind == "files":
            yield from _file(field, one, f"{at}/{n}")
        elif field.item:
            yield from _misshapen(field.item, one, f"{at}/{n}")
        elif isinstance(one, list | dict):
            yield f"{at}/{n}", messages.NO_SINGLE


def _pairs(field: Field, value: Any, at: str) -> Iterator[tuple[str, str]]:
    if not isinstance(value, dict):
        yield at, messages.NO_DICT
        return
    assert field.item is not None
    for key, one in value.items():
        yield from _misshapen(field.item.children[1], one, at + pointer(key))


def _tuple(field: Field, value: Any, at: str) -> Iterator[tuple[str, str]]:
    if not isinstance(value, list) or len(value) != len(field.children):
        yield at, messages.LENGTH.format(length=len(field.children))
        return
    for n, (child, one) in enumerate(zip(field.children, value, strict=True)):
        yield from _misshapen(child, one, f"{at}/{n}")


def _group(field: Field, value: Any, at: str, tags: Mapping[str, Any] | None = None) -> Iterator[tuple[str, str]]:
    if not isinstance(value, dict):
        yield at, messages.NO_DICT
        return
    known = {child.name: child for child in field.children}
    for name, one in value.items():
        if name in known:
            yield from _misshapen(known[name], one, at + pointer(name))
        elif name not in (tags or {}):
            yield at + pointer(name), messages.UNKNOWN


def _variant(field: Field, value: Any, at: str) -> Iterator[tuple[str, str]]:
    for variant in field.variants:
        if not variant.tags:
            yield from _misshapen(variant.group, value, at)
        elif isinstance(value, dict) and all(value.get(name) == tag for name, tag in variant.tags.items()):
            yield from _group(variant.group, value, at, variant.tags)
            return
    if field.is_tagged:
        yield from _unmatched(field, value, at)


def _unmatched(field: Field, value: Any, at: str) -> Iterator[tuple[str, str]]:
    name = next(iter(field.variants[0].tags))
    tags = ", ".join(str(variant.tags[name]) for variant in field.variants)
    yield at, messages.NO_VARIANT.format(name=name, tags=tags)


SHAPES: dict[str, Callable[[Field, Any, str], Iterator[tuple[str, str]]]] = {
    "switch": _switch,
    "checks": _list,
    "file": _file,
    "files": _list,
    "rows": _list,
    "pairs": _pairs,
    "tuple": _tuple,
    "group": _group,
    "variant": _variant,
}


def _pointer(field: Field, value: Any, path: list[str]) -> str:
    """Return the JSON pointer for the dotted name of a form's field."""
    if not path:
        return ""
    first, *rest = path
    if field.kind == "pairs" and isinstance(value, dict):
        assert field.item is not None
        key, one = list(value.items())[int(first)]
        return pointer(key) + _pointer(field.item.children[1], one, rest[1:])
    inside = field.item or next((child for child in _children(field) if child.own_name == first), None)
    part = value[int(first)] if isinstance(value, list) and int(first) < len(value) else None
    if isinstance(value, dict):
        part = value.get(first)
    return pointer(first) + (_pointer(inside, part, rest) if inside else "")


def _children(field: Field) -> Iterator[Field]:
    yield from field.children
    for variant in field.variants:
        yield from _children(variant.group)
