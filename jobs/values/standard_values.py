"""Convert the types of Python's standard library to JSON."""

import enum
import ipaddress
import re
import traceback
import types
import uuid
from collections.abc import Callable, Mapping, Sequence, Set, ValuesView
from datetime import date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from fractions import Fraction
from itertools import islice
from numbers import Number
from pathlib import Path, PurePath
from typing import Any

from pydantic_core import to_jsonable_python

from jobs.values import streams
from jobs.values.places import Place

# One more than fit into 1 MB, so that what is cut there is found to be too large.
MOST_ITEMS = 500_001
YEAR = timedelta(days=365)
MOMENTS = (datetime, date, time)
WORDS = (
    Decimal,
    Fraction,
    uuid.UUID,
    PurePath,
    tzinfo,
    ipaddress.IPv4Address,
    ipaddress.IPv6Address,
    ipaddress.IPv4Network,
    ipaddress.IPv6Network,
    ipaddress.IPv4Interface,
    ipaddress.IPv6Interface,
)

Form = Callable[[Any, Place], Any]


def form_of(kind: type) -> Form | None:
    """Return how values of a type are converted, or None for an unknown type."""
    if streams.is_stream(kind):
        return streams.converted
    return next((form for known, form in FORMS if issubclass(kind, known)), None)


def _moment(value: datetime | date | time, _place: Place) -> str:
    offset = value.utcoffset() if isinstance(value, datetime | time) else None
    # The serialiser of pydantic writes UTC as Z, and cuts the seconds of an offset.
    return value.isoformat() if offset and offset.seconds % 60 else str(to_jsonable_python(value))


def _duration(value: timedelta, _place: Place) -> str:
    """Return an ISO 8601 duration in days and seconds. The serialiser of pydantic takes 365 days for a year."""
    if abs(value) < YEAR:
        return str(to_jsonable_python(value))
    sign, size = ("-", -value) if value < timedelta() else ("", value)
    rest = str(to_jsonable_python(size - timedelta(days=size.days))).removeprefix("P")
    return f"{sign}P{size.days}D{rest if rest != 'T0S' else ''}"


def _items(value: Any, _place: Place) -> Any:
    """Return the items of a sequence, or by name those of a named tuple or a row of a database."""
    if as_dict := getattr(value, "_asdict", None):
        return as_dict()
    if keys := getattr(value, "keys", None):
        return dict(zip(keys(), value, strict=True))
    return list(islice(value, MOST_ITEMS))


def _member(value: enum.Enum, _place: Place) -> Any:
    kept = value.value
    return value.name if callable(kept) or type(kept) is object else kept


def _sorted(value: Set[Any], _place: Place) -> list[Any]:
    """Return the items of a set, in ascending order if they have one, so that each run shows the same."""
    items = list(islice(value, MOST_ITEMS))
    try:
        return sorted(items)
    except Exception:  # items that cannot be compared may raise anything
        return items


def _class_name(value: type, _place: Place) -> str:
    name = value.__qualname__
    return name if value.__module__ == "builtins" else f"{value.__module__}.{name}"


def _error(value: BaseException, _place: Place) -> str:
    return "".join(traceback.format_exception_only(value)).strip()


FORMS: Sequence[tuple[type | tuple[type, ...], Form]] = (
    (enum.Enum, _member),
    (str, lambda value, _place: str.__str__(value)),
    (int, lambda value, _place: int.__int__(value)),
    (float, lambda value, _place: float.__float__(value)),
    ((bytes, bytearray, memoryview), lambda value, place: place.files.content(bytes(value), place)),
    (MOMENTS, _moment),
    (timedelta, _duration),
    (Path, lambda value, place: place.files.path(value, place)),
    (complex, lambda value, _place: to_jsonable_python(value, inf_nan_mode="strings")),
    (WORDS, lambda value, _place: str(value)),
    (re.Pattern, lambda value, _place: value.pattern),
    (Number, lambda value, _place: str(value)),
    (Mapping, lambda value, _place: dict(islice(value.items(), MOST_ITEMS))),
    (types.SimpleNamespace, lambda value, _place: vars(value)),
    ((set, frozenset), _sorted),
    ((Sequence, Set, ValuesView), _items),
    (BaseException, _error),
    (type, _class_name),
)
