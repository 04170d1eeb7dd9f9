"""Forms for tasks' parameter models: fields to render, and parsing of posted values."""

import logging
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any

from pydantic import BaseModel, ValidationError
from werkzeug.datastructures import MultiDict

from jobs.authoring import Task, load
from webapp.forms.bound_fields import BoundField, Reader
from webapp.forms.fields import FILES, MOST_ROWS, WHOLES, Field, Missing
from webapp.forms.files import NO_INPUTS, OwnInputs, file_field_at, has_files, reference_to
from webapp.forms.json_schema import schema_of
from webapp.forms.messages import FAILED_CHECK, TOO_MANY_ROWS, message
from webapp.forms.posting import posted_of, put, with_row, without_row
from webapp.forms.signature import fields_in, fields_of
from webapp.forms.spoken import spoken

__all__ = [
    "CHANGE",
    "TOUCHED",
    "BoundField",
    "Field",
    "Form",
    "Missing",
    "OwnInputs",
    "blank",
    "change",
    "check",
    "fields_in",
    "fields_of",
    "file_field_at",
    "has_files",
    "posted_of",
    "put",
    "read",
    "reference_to",
    "schema_of",
    "spoken",
]

log = logging.getLogger(__name__)

# Name of the buttons that change the form instead of starting a run; values: "add items", "remove items.2", "show".
CHANGE = "_change"
# Posted names of touched fields, whose errors are shown before the form is submitted.
TOUCHED = "_touched"


@dataclass(frozen=True)
class Section:
    """A group of fields, with an optional title, possibly collapsed."""

    title: str
    folded: bool
    open: bool
    fields: tuple[BoundField, ...]


@dataclass(frozen=True)
class Form:
    """A task's fields with their values, and the errors by field name."""

    fields: tuple[BoundField, ...]
    errors: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, str] = field(default_factory=dict)  # errors that also apply before submission
    zone: str = "UTC"
    focus: str = ""
    touched: frozenset[str] = frozenset()

    @property
    def values(self) -> dict[str, Any]:
        """The value of each field by name."""
        return {bound.field.name: bound.value for bound in self.fields}

    @property
    def kinds(self) -> set[str]:
        """The kinds of all displayed fields."""
        return {bound.field.kind for bound in self._all()}

    @property
    def takes_files(self) -> bool:
        """Return whether the form has a file field."""
        return not self.kinds.isdisjoint(FILES)

    @property
    def rows(self) -> int:
        """The total number of rows in all lists."""
        return sum(len(bound.children) for bound in self._all() if bound.field.item)

    @property
    def problems(self) -> list[tuple[BoundField, str]]:
        """The fields with errors and their messages, in form order."""
        return [(one, self.errors[one.field.name]) for one in self._all() if one.field.name in self.errors]

    def sections(self, fields: Iterable[BoundField]) -> list[Section]:
        """Group fields into sections. Collapsed sections open if they contain an error or the focus."""
        sections = []
        for (folded, title), together in groupby(fields, key=lambda bound: bound.field.section):
            members = tuple(together)
            names = {inside.field.name for bound in members for inside in bound.all()}
            is_open = not names.isdisjoint({*self.errors, self.focus})
            sections.append(Section(title or ("Advanced" if folded else ""), folded, is_open, members))
        return sections

    def refused(self, errors: Mapping[str, str]) -> "Form":
        """Return the form with these errors, focused on the first."""
        refused = replace(self, errors=errors)
        return replace(refused, focus=refused.problems[0][0].field.name if refused.problems else "")

    def first_input(self, name: str) -> str:
        """Return the name of the first field with its own input within the named field."""
        bound = self.find(name)
        return next((one.field.name for one in bound.all() if not one.field.is_compound), name) if bound else ""

    def find(self, name: str) -> BoundField | None:
        """Return the field with this name, or None."""
        return next((bound for bound in self._all() if bound.field.name == name), None)

    @property
    def touched_fields(self) -> list[BoundField]:
        """The touched fields. A group counts as touched if any of its parts does."""
        return [one for one in self._all() if one.field.kind not in FILES and self._was_touched(one)]

    @property
    def touched_names(self) -> list[str]:
        """The names of fields whose errors are shown immediately, to be posted with the next check."""
        known = {bound.field.name for bound in self._all()}
        return sorted((self.touched & known) | self.errors.keys())

    def _was_touched(self, bound: BoundField) -> bool:
        inside = bound.all() if bound.field.kind in WHOLES else (bound,)
        return any(one.field.name in self.touched for one in inside)

    def _all(self) -> list[BoundField]:
        return [inside for bound in self.fields for inside in bound.all()]


def blank(task: Task, values: Mapping[str, Any], own: OwnInputs = NO_INPUTS) -> Form:
    """Return the form with the given values, such as an earlier run's parameters, or else the defaults."""
    fields = fields_of(task)
    return _form(fields, Reader(posted_of(fields, values), own))


def change(task: Task, posted: Mapping[str, str], own: OwnInputs = NO_INPUTS) -> Form:
    """Return the form after one of its own buttons: with a row added or removed, or the chosen variant's fields."""
    edited = MultiDict(posted)
    form = check(task, edited, own)
    verb, _, name = edited.get(CHANGE, "").partition(" ")
    around = name.rpartition(".")[0] if verb == "remove" else name
    bound = form.find(around)
    if bound is None or bound.field.item is None:
        return replace(form, focus="")
    if verb == "remove":
        without_row(edited, bound.field, name)
        return replace(check(task, edited, own), focus=around)
    if form.rows >= MOST_ROWS:
        return replace(form, errors={**form.errors, name: TOO_MANY_ROWS.format(most=MOST_ROWS)}, focus=name)
    row = with_row(edited, bound.field)
    changed = check(task, edited, own)
    return replace(changed, focus=changed.first_input(row))


def check(task: Task, posted: Mapping[str, str], own: OwnInputs = NO_INPUTS) -> Form:
    """Return the form while it is being filled in, with errors only for touched fields."""
    _parameters, form = _read(task, posted, own)
    form = replace(form, touched=frozenset(MultiDict(posted).getlist(TOUCHED)))
    names = {bound.field.name for bound in form.touched_fields} | form.limits.keys()
    return replace(form, errors={name: text for name, text in form.errors.items() if name in names})


def read(task: Task, posted: Mapping[str, str], own: OwnInputs = NO_INPUTS) -> tuple[BaseModel | None, Form]:
    """Validate a posted form. Return the parameters, or None, and the form with the values and errors.

    The form keeps its files except those that are refused.
    """
    parameters, form = _read(task, posted, own)
    kept = tuple(bound.without_files(form.errors) for bound in form.fields)
    return parameters, replace(form, fields=kept)


def _read(task: Task, posted: Mapping[str, str], own: OwnInputs) -> tuple[BaseModel | None, Form]:
    reader = Reader(MultiDict(posted), own)
    form = _form(fields_of(task), reader)
    raw = {bound.field.name: bound.raw for bound in form.fields if bound.raw is not Missing}
    try:
        parameters = load(task.parameters, raw)
    except ValidationError as error:
        return None, form.refused({**_errors(form, error), **reader.errors, **reader.limits})
    except Exception as error:  # of a validator, which should raise a ValueError
        # Without its text and its values, which may be a user's.
        *_, (frame, line) = traceback.walk_tb(error.__traceback__)
        place = f"{frame.f_code.co_filename}:{line}"
        log.error("%s: a validator of task %r failed: %s at %s", task.source, task.name, type(error).__name__, place)
        return None, form.refused({"": FAILED_CHECK.format(kind=type(error).__name__)})
    errors = {**reader.errors, **reader.limits}
    return None if errors else parameters, form.refused(errors)


def _form(fields: tuple[Field, ...], reader: Reader) -> Form:
    return Form(tuple(reader.bind(field) for field in fields), reader.limits, reader.limits, reader.zone)


def _errors(form: Form, error: ValidationError) -> dict[str, str]:
    fields = {bound.field.name: bound for bound in form.fields}
    errors: dict[str, str] = {}
    for detail in error.errors(include_url=False):
        first, *rest = detail["loc"] or ("",)
        at = fields[str(first)].at(tuple(rest)).field if str(first) in fields else Field("", "", "")
        errors.setdefault(at.name, message(detail, at.kind, form.zone))
    return errors
