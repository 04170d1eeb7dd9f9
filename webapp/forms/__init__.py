"""A task's parameter model as a form: fields to render, and what was posted as parameters or errors."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import BaseModel, ValidationError
from werkzeug.datastructures import MultiDict

from jobs import Task
from webapp.forms.entries import Entry, Missing, Reading, posted_of
from webapp.forms.fields import Field
from webapp.forms.messages import message
from webapp.forms.signature import fields_of

__all__ = ["Entry", "Field", "Form", "blank", "fields_of", "read"]


@dataclass(frozen=True)
class Form:
    """A task's fields with the values and errors of one moment; the errors by the name of the field."""

    entries: tuple[Entry, ...]
    errors: Mapping[str, str] = field(default_factory=dict)
    zone: str = "UTC"

    @property
    def values(self) -> dict[str, Any]:
        """What is in each field."""
        return {entry.field.name: entry.value for entry in self.entries}

    @property
    def has_moment(self) -> bool:
        """Whether it matters where its reader is."""
        return any(entry.field.kind == "moment" for entry in self.entries)


def blank(task: Task, values: Mapping[str, Any]) -> Form:
    """The form before anything is posted: defaults, or the parameters of an earlier run."""
    fields = fields_of(task)
    return _form(fields, Reading(posted_of(fields, values)))


def read(task: Task, posted: Mapping[str, str]) -> tuple[BaseModel | None, Form]:
    """What was posted, as validated parameters, or None; and the form that shows the same values with the errors."""
    reading = Reading(MultiDict(posted))
    form = _form(fields_of(task), reading)
    raw = {entry.field.name: entry.raw for entry in form.entries if entry.raw is not Missing}
    try:
        parameters = task.parameters.model_validate(raw)
    except ValidationError as error:
        return None, replace(form, errors={**_errors(error), **reading.errors})
    return None if reading.errors else parameters, replace(form, errors=reading.errors)


def _form(fields: tuple[Field, ...], reading: Reading) -> Form:
    return Form(tuple(reading.entry(field) for field in fields), zone=reading.zone)


def _errors(error: ValidationError) -> dict[str, str]:
    errors: dict[str, str] = {}
    for detail in error.errors(include_url=False):
        name = str(detail["loc"][0]) if detail["loc"] else ""
        errors.setdefault(name, message(detail))
    return errors
