"""Conversion of values to posted form data, and adding and removing of rows."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import SecretStr
from werkzeug.datastructures import MultiDict

from jobs.authoring import file_in
from webapp.forms.fields import MOST_ROWS, Field, Missing, Variant
from webapp.forms.files import reference_to
from webapp.forms.texts import exact_of, text_of

Posted = MultiDict[str, str]

ROW = re.compile("[0-9]{1,6}")
# Suffix for the variant that the page displays. Fields of another variant are not missing; they were not displayed yet.
SHOWN = "_shown"
# Suffix for the sealed secret that was entered earlier.
SEALED = "_sealed"

# Suffix for the whole value of a field that shows only a part of it, such as a time without its microseconds.
EXACT = "_exact"

# A new list with a minimum length starts with its required rows, up to this number.
MOST_FIRST_ROWS = 5


def posted_of(fields: tuple[Field, ...], values: Mapping[str, Any]) -> Posted:
    """Return what a browser would post for these JSON values, with defaults for the others."""
    posted: Posted = MultiDict()
    for one in fields:
        put(posted, one, values.get(one.name, Missing))
    return posted


def put(posted: Posted, field: Field, value: Any = Missing) -> None:
    """Post a value, or a field's default, under the field's name."""
    # A secret that a task asked for before it changed must not appear in a field of another kind.
    if value is Missing or (isinstance(value, SecretStr) and field.kind != "secret"):
        value = field.initial
    elif value is None and field.optional and field.kind not in PUT:
        posted.add(field.name, "")  # emptied, which is not the same as left out: a default would stand for that
    if field.kind in PUT:
        PUT[field.kind](posted, field, value)
    elif value is not None:
        posted.add(field.name, text(field, value))


def text(field: Field, value: Any) -> str:
    """Return the displayed text of a single-value field."""
    if choice := field.holding(value):
        return choice.label if field.kind == "search" else choice.text
    try:
        return text_of(field.kind, value)
    except ValueError:  # stored before the task changed
        return str(value)


def with_row(posted: Posted, field: Field) -> str:
    """Add a row to a posted list and return its name."""
    assert field.item is not None
    numbers = [int(number) for number in posted.getlist(field.name) if ROW.fullmatch(number)]
    number = max(numbers, default=-1) + 1
    posted.add(field.name, str(number))
    name = f"{field.name}.{number}"
    put(posted, field.item.placed(name))
    return name


def without_row(posted: Posted, field: Field, name: str) -> None:
    """Remove a row from a posted list."""
    number = name.removeprefix(f"{field.name}.")
    posted.setlist(field.name, [one for one in posted.getlist(field.name) if one != number])


def with_defaults(posted: Posted, field: Field, variant: Variant) -> None:
    """Add the defaults of a variant that was only just chosen."""
    shown = f"{field.name}.{SHOWN}"
    if posted.get(shown) == variant.tag:
        return
    posted[shown] = variant.tag
    for child in variant.group.children:
        name = f"{field.name}.{child.name}"
        if name not in posted:
            put(posted, child.placed(name))


def _put_file(posted: Posted, field: Field, value: Any) -> None:
    if file := file_in(value):
        posted.add(field.name, reference_to(file))


def _put_files(posted: Posted, field: Field, value: Any) -> None:
    for one in value if isinstance(value, list) else ():
        _put_file(posted, field, one)


def _put_secret(posted: Posted, field: Field, value: Any) -> None:
    if isinstance(value, SecretStr):
        posted.add(field.name, value.get_secret_value())
    elif isinstance(value, str | int | float):  # of an example
        posted.add(field.name, str(value))


def _put_moment(posted: Posted, field: Field, value: Any) -> None:
    if value is None:
        return
    posted.add(field.name, text(field, value))
    if exact := exact_of(field.kind, value):
        posted.add(f"{field.name}.{EXACT}", exact)


def _put_switch(posted: Posted, field: Field, value: Any) -> None:
    if value:
        posted.add(field.name, "true")


def _put_checks(posted: Posted, field: Field, value: Any) -> None:
    for one in value if isinstance(value, list) else ():
        posted.add(field.name, text(field, one))


def _put_list(posted: Posted, field: Field, value: Any) -> None:
    assert field.item is not None
    first = 0 if field.optional else min(field.least, MOST_FIRST_ROWS)
    rows = value if isinstance(value, list) else [Missing] * first
    for number, row in enumerate(rows[: MOST_ROWS + 1]):  # one row too many is refused as all the others would be
        posted.add(field.name, str(number))
        put(posted, field.item.placed(f"{field.name}.{number}"), row)


def _put_dict(posted: Posted, field: Field, value: Any) -> None:
    rows = [{"key": key, "value": one} for key, one in value.items()] if isinstance(value, dict) else None
    _put_list(posted, field, rows)


def _put_group(posted: Posted, field: Field, value: Any) -> None:
    given = value if isinstance(value, dict) else {}
    for child in field.children:
        put(posted, child.placed(f"{field.name}.{child.name}"), given.get(child.name, Missing))


def _put_tuple(posted: Posted, field: Field, value: Any) -> None:
    given = enumerate(value) if isinstance(value, list) else ()
    _put_group(posted, field, {str(number): one for number, one in given})


def _put_variant(posted: Posted, field: Field, value: Any) -> None:
    for variant in field.variants if value is not None else ():
        if all(isinstance(value, dict) and value.get(name) == tag for name, tag in variant.tags.items()):
            posted.add(field.name, variant.tag)
            posted.add(f"{field.name}.{SHOWN}", variant.tag)
            put(posted, variant.group.placed(field.name), value)
            return


PUT: dict[str, Callable[[Posted, Field, Any], None]] = {
    **dict.fromkeys(("time", "moment", "wall_clock"), _put_moment),
    "switch": _put_switch,
    "checks": _put_checks,
    "file": _put_file,
    "files": _put_files,
    "secret": _put_secret,
    "rows": _put_list,
    "pairs": _put_dict,
    "group": _put_group,
    "pair": _put_group,
    "tuple": _put_tuple,
    "variant": _put_variant,
}
