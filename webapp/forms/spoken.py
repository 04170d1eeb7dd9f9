"""Run parameters as readable values, with labels instead of names."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import TypeAdapter

from jobs.authoring import HIDDEN, file_in, is_hidden
from webapp.forms.fields import CHOICES, Field
from webapp.forms.texts import text_of

MOMENT = TypeAdapter(datetime)


def spoken(field: Field | None, value: Any) -> Any:
    """Return a stored value in readable form: text, bool, moment, file, or a list of these or a dict by label.

    Values that no longer match a changed task are returned unchanged.
    """
    if is_hidden(value):
        return HIDDEN
    if field is None or value is None:
        return _as_it_is(value)
    try:
        return SPOKEN.get(field.kind, _single)(field, value)
    except (ValueError, TypeError, LookupError, AttributeError):
        return _as_it_is(value)


def _as_it_is(value: Any) -> Any:
    """Return a value without a field, in which secrets stay hidden and files are files under any name."""
    if is_hidden(value):
        return HIDDEN
    if file := file_in(value):
        return file
    if isinstance(value, dict):
        return {name: _as_it_is(part) for name, part in value.items()}
    return [_as_it_is(part) for part in value] if isinstance(value, list) else value


def _single(field: Field, value: Any) -> Any:
    if field.kind in CHOICES:
        choice = field.holding(value)
        return choice.label if choice else value
    if field.kind == "moment":
        moment = MOMENT.validate_python(value)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    text = text_of(field.kind, value).replace("T", " ") if field.kind == "wall_clock" else text_of(field.kind, value)
    return f"{text} {field.unit}" if field.unit else text


def _file(field: Field, value: Any) -> Any:
    return file_in(value) or value


def _files(field: Field, value: Any) -> Any:
    return [_file(field, one) for one in value]


def _switch(field: Field, value: Any) -> Any:
    return value


def _checks(field: Field, value: Any) -> Any:
    return [choice.label for choice in field.choices if choice.value in value]


def _list(field: Field, value: Any) -> Any:
    return [spoken(field.item, one) for one in value]


def _dict(field: Field, value: Mapping[str, Any]) -> Any:
    assert field.item is not None
    return {key: spoken(field.item.children[1], one) for key, one in value.items()}


def _group(field: Field, value: Mapping[str, Any]) -> Any:
    return {child.label: spoken(child, value[child.name]) for child in field.children if child.name in value}


def _tuple(field: Field, value: Any) -> Any:
    return [spoken(child, one) for child, one in zip(field.children, value, strict=True)]


def _variant(field: Field, value: Any) -> Any:
    for variant in field.variants:
        if all(value[name] == tag for name, tag in variant.tags.items()):
            said = spoken(variant.group, value)
            return {"Kind": variant.label, **said} if variant.tags else said
    return value


def _secret(field: Field, value: Any) -> Any:
    return HIDDEN


SPOKEN = {
    "secret": _secret,
    "switch": _switch,
    "checks": _checks,
    "file": _file,
    "files": _files,
    "rows": _list,
    "pairs": _dict,
    "group": _group,
    "tuple": _tuple,
    "variant": _variant,
}
