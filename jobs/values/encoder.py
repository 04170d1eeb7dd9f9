"""Convert any value to plain JSON, part by part, so that a part without a JSON form does not spoil the others."""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

from jobs.values import (
    figures,
    file_values,
    library_values,
    models,
    numpy_values,
    pandas_values,
    plotly_figures,
    polars_values,
    standard_values,
)
from jobs.values.errors import NoForm, ResultError, TooLarge
from jobs.values.files import REFUSED
from jobs.values.names import distinct
from jobs.values.places import Files, Notes, Place
from jobs.values.stored_file import StoreAway
from jobs.values.tables import FRAME, Table, column_type
from jobs.values.text import in_unicode

LARGEST_BYTES = 1_000_000
MOST_LETTERS = 40_000_000
MOST_LEVELS = 200
# No type needs more conversions than these, one after another.
MOST_STEPS = 20
# Python converts at most 4,300 digits to a number or back, unless it is told otherwise.
MOST_BITS = 14_284
ADVICE = "Return a file instead: Download(content, name=...)."
NOT_JSON = "cannot be stored as JSON"
READY = frozenset({type(None), bool, int, float, str, list, tuple, dict, Table})

Form = Callable[[Any, Place], Any]
# In this order: the first that knows a type converts it.
SOURCES = (
    pandas_values,
    polars_values,
    numpy_values,
    file_values,
    figures,
    plotly_figures,
    models,
    standard_values,
    library_values,
)


class Pending(NamedTuple):
    """A part that is still to be converted, and where its JSON form belongs."""

    target: Any
    key: Any
    part: Any
    place: Place


class Encoder:
    """Converts one value to JSON. `notes` then says what was changed, and `left_out` the first part without a form."""

    def __init__(self, files: Files) -> None:
        self.notes = Notes()
        self.left_out = ""
        self._files = files
        self._forms: dict[type, Form | None] = {}
        self._size = self._letters = 0
        self._pending: list[Pending] = []
        self._later: list[Pending] = []

    def encode(self, value: Any, what: str) -> Any:
        """Return the JSON form of a value. Raises ResultError if it has none, or certainly is larger than 1 MB."""
        # A loop instead of recursion, so that no value nests too deeply for Python.
        kept = [None]
        self._pending = [Pending(kept, 0, value, Place(self.notes, self._files, value))]
        try:
            while self._pending:
                self._convert(self._pending.pop(), what)
        except TooLarge:
            raise ResultError(f"{what} is too large: the limit is {LARGEST_BYTES:,} bytes. {ADVICE}") from None
        return kept[0]

    def _convert(self, pending: Pending, what: str) -> None:
        target, key, part, place = pending
        try:
            target[key] = self._kept(part, place)
            self._pending += reversed(self._later)
            self._later.clear()
        except NoForm as reason:
            if place.parent is None:
                raise ResultError(re.sub("^It ", f"{what} ", str(reason))) from None
            self.left_out = self.left_out or f"{place}: {reason}"
            place.note(f"left out. {reason}")

    def _kept(self, part: Any, place: Place) -> Any:
        """Return a part's JSON form; what it contains is filled in later."""
        simple = self._simple(part, place)
        if isinstance(simple, dict | list | tuple | Table):
            _check_nesting(place)
        match simple:
            case dict():
                return self._mapping(simple, place)
            case Table():
                return self._table(simple, place)
            case list() | tuple():
                return self._fill([None] * len(simple), enumerate(simple), place.item)
        leaf = _leaf(simple, place)
        self._count(1, leaf)
        return leaf

    def _simple(self, value: Any, place: Place) -> Any:
        """Convert a value of any type, step by step, to one of the types that are READY."""
        for _ in range(MOST_STEPS):
            kind = type(value)
            if kind in READY:
                return value
            form = self._form_of(kind)
            if form is not None:
                value = _converted(form, value, place)
            elif isinstance(value, Iterator):  # an error in it is the task's own, and fails the run
                value = list(islice(value, standard_values.MOST_ITEMS))
            else:
                break
        raise NoForm(f"It {NOT_JSON}: a value of type {kind.__name__} has no JSON form; return its parts, or a file.")

    def _form_of(self, kind: type) -> Form | None:
        if kind not in self._forms:
            found: Iterator[Form | None] = (source.form_of(kind) for source in SOURCES)
            self._forms[kind] = next((form for form in found if form is not None), None)
        return self._forms[kind]

    def _mapping(self, mapping: Mapping[Any, Any], place: Place) -> dict[str, Any]:
        names = self._names(mapping, place, ", ", "Keys that read alike")
        parts = zip(names, mapping.values(), strict=True)
        kept: dict[str, Any] = self._fill(dict.fromkeys(names), parts, place.named)
        return kept

    def _table(self, table: Table, place: Place) -> dict[str, Any]:
        names = self._names(table.columns, place, " ", "Columns with equal names")
        rows, cells = [], [set[type]() for _ in names]
        for number, row in enumerate(table.rows):
            within = partial(_cell, place, number, names)
            rows.append(self._fill([None] * len(names), enumerate(row), within))
            for seen, cell in zip(cells, row, strict=False):
                seen.add(type(cell))
        types = {name: found for name, seen in zip(names, cells, strict=True) if (found := column_type(seen))}
        return {FRAME: {"columns": names, "rows": rows, **({"types": types} if types else {})}}

    def _fill(self, kept: Any, parts: Iterable[tuple[Any, Any]], within: Callable[[Any, Any], Place]) -> Any:
        """Put the simple parts of a list or dict in their places, and have the others converted later, in order."""
        self._count(len(kept) + 1)
        for key, part in parts:
            if _is_plain(part):
                self._count(1, part)
                kept[key] = part
            else:
                self._later.append(Pending(kept, key, part, within(key, part)))
        return kept

    def _names(self, keys: Iterable[Any], place: Place, between: str, what: str) -> list[str]:
        """Return keys or column labels as distinct texts."""
        names = [key if type(key) is str and key.isascii() else self._name(key, place, between) for key in keys]
        if len(set(names)) == len(names):
            return names
        numbered, changed = distinct(names)
        place.note(f"{what} were numbered: {', '.join(changed)}.")
        return numbered

    def _name(self, key: Any, place: Place, between: str) -> str:
        if isinstance(key, tuple):
            return between.join(name for part in key if (name := self._name(part, place, between)))
        within = Place(self.notes, REFUSED, key, place, f"[{key!r}]" if isinstance(key, str) else "")
        try:
            simple = _leaf(self._simple(key, within), within)
        except NoForm:
            return _spelled(key)
        if isinstance(simple, bool):
            return str(simple).lower()
        return _spelled(key if isinstance(simple, list | tuple | dict | Table) else simple)

    def _count(self, size: int, part: Any = None) -> None:
        """Add the least size that a part can have as JSON. Raises TooLarge once it is not worth going on."""
        self._size += size
        if type(part) is str:
            self._letters += len(part)
        if self._size > LARGEST_BYTES or self._letters > MOST_LETTERS:
            raise TooLarge


def _cell(table: Place, number: int, columns: Sequence[str], column: int, value: Any) -> Place:
    return table.cell(number, columns[column], value)


def _is_plain(part: Any) -> bool:
    """Return whether a part is its own JSON form. Most parts are, so this saves time."""
    kind = type(part)
    if kind is str:
        return bool(part.isascii() or in_unicode(part) == part)
    if kind is int:
        return bool(part.bit_length() <= MOST_BITS)
    return part is None or kind is bool or (kind is float and math.isfinite(part))


def _leaf(value: Any, place: Place) -> Any:
    """Return the JSON form of a value without parts."""
    if isinstance(value, float) and not math.isfinite(value):
        if math.isnan(value):
            return None if place.in_cell else "NaN"
        return "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, int) and value.bit_length() > MOST_BITS:
        return _digits(value, place)
    if isinstance(value, str) and (kept := in_unicode(value)) != value:
        place.note("characters that do not exist in Unicode were escaped.")
        return kept
    return value


def _digits(number: int, place: Place) -> str:
    if number.bit_length() > LARGEST_BYTES * 4:
        raise TooLarge
    text = str(Decimal(number))
    place.note(f"a number of {len(text.lstrip('-')):,} digits is saved as text.")
    return text


def _check_nesting(place: Place) -> None:
    if any(outer.value is place.value for outer in place.around):
        raise NoForm(f"It {NOT_JSON}: it contains itself.")
    if place.depth > MOST_LEVELS:
        raise NoForm(f"It {NOT_JSON}: it is nested more than {MOST_LEVELS} levels deep.")


def _converted(form: Form, value: Any, place: Place) -> Any:
    try:
        return form(value, place)
    except (NoForm, TooLarge, ResultError, StoreAway, MemoryError):
        raise
    except Exception as error:  # a value of a type that is not ours may raise anything when it is looked at
        raise NoForm(
            f"It {NOT_JSON}: a value of type {type(value).__name__} cannot be read ({_words(error)})."
        ) from None


def _spelled(key: Any) -> str:
    try:
        return in_unicode(str(key))
    except Exception:
        return type(key).__name__


def _words(error: Exception) -> str:
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:
        return type(error).__name__
