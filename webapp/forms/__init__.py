"""A task's parameter model as a form: fields to render, and what was posted as parameters or errors."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any

from pydantic import BaseModel, ValidationError
from werkzeug.datastructures import MultiDict

from jobs.authoring import Task
from webapp.forms.entries import MOST_ROWS, Entry, Reading
from webapp.forms.fields import FILES, WHOLES, Field
from webapp.forms.files import NO_INPUTS, OwnInputs, file_field_at, has_files, reference_to
from webapp.forms.messages import TOO_MANY_ROWS, message
from webapp.forms.posting import Missing, posted_of, put, with_row, without_row
from webapp.forms.signature import fields_of
from webapp.forms.spoken import spoken

__all__ = [
    "CHANGE",
    "TOUCHED",
    "Entry",
    "Field",
    "Form",
    "OwnInputs",
    "blank",
    "change",
    "check",
    "fields_of",
    "file_field_at",
    "has_files",
    "put",
    "read",
    "reference_to",
    "spoken",
]

# The name of the buttons that ask for another form, not for a run: "add items", "remove items.2", "show".
CHANGE = "_change"
# The names of fields that somebody has been at: these may be called wrong before the form is sent.
TOUCHED = "_touched"


@dataclass(frozen=True)
class Section:
    """Fields that stand together, under a title or none; folded away or not."""

    title: str
    folded: bool
    open: bool
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class Form:
    """A task's fields with the values and errors of one moment; the errors by the name of the field."""

    entries: tuple[Entry, ...]
    errors: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, str] = field(default_factory=dict)  # those of the errors that need no sending
    zone: str = "UTC"
    focus: str = ""
    touched: frozenset[str] = frozenset()

    @property
    def values(self) -> dict[str, Any]:
        """What is in each field."""
        return {entry.field.name: entry.value for entry in self.entries}

    @property
    def kinds(self) -> set[str]:
        """The kinds of all fields that are shown."""
        return {entry.field.kind for entry in self._all()}

    @property
    def takes_files(self) -> bool:
        """Whether a file can be sent with it."""
        return not self.kinds.isdisjoint(FILES)

    @property
    def rows(self) -> int:
        """How many rows all its lists have together."""
        return sum(len(entry.children) for entry in self._all() if entry.field.item)

    @property
    def problems(self) -> list[tuple[Entry, str]]:
        """What is wrong, in the order of the fields it is wrong with."""
        return [(one, self.errors[one.field.name]) for one in self._all() if one.field.name in self.errors]

    def sections(self, entries: Iterable[Entry]) -> list[Section]:
        """Entries as they stand together; what is folded away opens for an error and for the focus."""
        sections = []
        for (folded, title), together in groupby(entries, key=lambda entry: entry.field.section):
            members = tuple(together)
            names = {inside.field.name for entry in members for inside in entry.all()}
            is_open = not names.isdisjoint({*self.errors, self.focus})
            sections.append(Section(title or ("Advanced" if folded else ""), folded, is_open, members))
        return sections

    def refused(self, errors: Mapping[str, str]) -> "Form":
        """The same form with what is wrong, beginning with the first."""
        refused = replace(self, errors=errors)
        return replace(refused, focus=refused.problems[0][0].field.name if refused.problems else "")

    def first_input(self, name: str) -> str:
        """The name of the first field with an input of its own in what has this name."""
        entry = self.find(name)
        return next((one.field.name for one in entry.all() if not one.field.is_compound), name) if entry else ""

    def find(self, name: str) -> Entry | None:
        """The entry that is posted under a name."""
        return next((entry for entry in self._all() if entry.field.name == name), None)

    @property
    def checked(self) -> list[Entry]:
        """What somebody has been at; a whole's own rule counts where they have been at any of its parts."""
        return [one for one in self._all() if one.field.kind not in FILES and self._was_touched(one)]

    @property
    def told(self) -> list[str]:
        """The names of fields that are called wrong as soon as they are, for the next time it is asked for."""
        known = {entry.field.name for entry in self._all()}
        return sorted((self.touched & known) | self.errors.keys())

    def _was_touched(self, entry: Entry) -> bool:
        inside = entry.all() if entry.field.kind in WHOLES else (entry,)
        return any(one.field.name in self.touched for one in inside)

    def _all(self) -> list[Entry]:
        return [inside for entry in self.entries for inside in entry.all()]


def blank(task: Task, values: Mapping[str, Any], own: OwnInputs = NO_INPUTS) -> Form:
    """The form before anything is posted: defaults, or the parameters of an earlier run."""
    fields = fields_of(task)
    return _form(fields, Reading(posted_of(fields, values), own))


def change(task: Task, posted: Mapping[str, str], own: OwnInputs = NO_INPUTS) -> Form:
    """The form after a button of its own: with a row more or less, or the fields of what was chosen."""
    asked = MultiDict(posted)
    form = check(task, asked, own)
    verb, _, name = asked.get(CHANGE, "").partition(" ")
    around = name.rpartition(".")[0] if verb == "remove" else name
    entry = form.find(around)
    if entry is None or entry.field.item is None:
        return replace(form, focus="")
    if verb == "remove":
        without_row(asked, entry.field, name)
        return replace(check(task, asked, own), focus=around)
    if form.rows >= MOST_ROWS:
        return replace(form, errors={**form.errors, name: TOO_MANY_ROWS.format(most=MOST_ROWS)}, focus=name)
    row = with_row(asked, entry.field)
    changed = check(task, asked, own)
    return replace(changed, focus=changed.first_input(row))


def check(task: Task, posted: Mapping[str, str], own: OwnInputs = NO_INPUTS) -> Form:
    """The form while it is filled in: with what is wrong where somebody has been, and nowhere else."""
    _parameters, form = read(task, posted, own)
    form = replace(form, touched=frozenset(MultiDict(posted).getlist(TOUCHED)))
    names = {entry.field.name for entry in form.checked} | form.limits.keys()
    return replace(form, errors={name: words for name, words in form.errors.items() if name in names})


def read(task: Task, posted: Mapping[str, str], own: OwnInputs = NO_INPUTS) -> tuple[BaseModel | None, Form]:
    """What was posted, as validated parameters, or None; and the form that shows the same values with the errors."""
    reading = Reading(MultiDict(posted), own)
    form = _form(fields_of(task), reading)
    raw = {entry.field.name: entry.raw for entry in form.entries if entry.raw is not Missing}
    try:
        parameters = task.parameters.model_validate(raw)
    except ValidationError as error:
        return None, form.refused({**_errors(form, error), **reading.errors, **reading.limits})
    errors = {**reading.errors, **reading.limits}
    return None if errors else parameters, form.refused(errors)


def _form(fields: tuple[Field, ...], reading: Reading) -> Form:
    return Form(tuple(reading.entry(field) for field in fields), reading.limits, reading.limits, reading.zone)


def _errors(form: Form, error: ValidationError) -> dict[str, str]:
    entries = {entry.field.name: entry for entry in form.entries}
    errors: dict[str, str] = {}
    for detail in error.errors(include_url=False):
        first, *rest = detail["loc"] or ("",)
        at = entries[str(first)].at(tuple(rest)).field if str(first) in entries else Field("", "", "")
        errors.setdefault(at.name, message(detail, at.kind, form.zone))
    return errors
