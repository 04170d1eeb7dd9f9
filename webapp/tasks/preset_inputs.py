"""The inputs of a form that a preset keeps, and those of a preset that its task still takes."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from jobs.authoring import Task, Unstorable, load, stored
from jobs.values import label_of
from webapp.forms import Field, Form, Missing, fields_of
from webapp.forms.fields import FILES
from webapp.forms.json_schema import part_of


def kept_inputs(task: Task, form: Form) -> dict[str, Any] | None:
    """Return the filled-in inputs of a form that has no errors in them, as JSON, or None if they cannot be stored."""
    raw = {one.field.name: one.raw for one in form.fields if one.raw is not Missing and _is_kept(one.field)}
    try:
        written = stored(load(part_of(task.parameters, raw), raw))
    except (ValidationError, Unstorable):
        return None
    except Exception:  # of a validator that needs an input which is left out
        return None
    return None if written.secrets else written.whole


def left_out(task: Task) -> list[str]:
    """Return the labels of the inputs that are never part of a preset: files and secrets."""
    return [field.label for field in fields_of(task) if not _is_kept(field)]


def first_problem(form: Form) -> str:
    """Return the first error of a form, with its label, that keeps its inputs from being saved, or an empty text."""
    empty = {one.field.name for one in form.fields if one.raw is Missing or not _is_kept(one.field)}
    wrong = ((one, words) for one, words in form.problems if one.field.name.partition(".")[0] not in empty)
    return next((f"{one.field.label}: {words}" for one, words in wrong), "")


def fitting(task: Task, values: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the values of a preset that the task still takes, and the labels of the others."""
    fields = {field.name: field for field in fields_of(task) if _is_kept(field)}
    known = {name: value for name, value in values.items() if name in fields}
    refused = set[str]()
    try:
        load(part_of(task.parameters, known), known)
    except ValidationError as error:
        refused = {str(detail["loc"][0]) for detail in error.errors(include_url=False) if detail["loc"]}
    except Exception:  # of a validator that needs another input; the form says what is wrong when it is sent
        refused = set()
    gone = [name for name in values if name in refused or name not in fields]
    labels = [fields[name].label if name in fields else label_of(name) for name in gone]
    return {name: value for name, value in known.items() if name not in refused}, labels


def _is_kept(field: Field) -> bool:
    """Return whether a field holds neither files nor secrets, nor does any part of it."""
    parts = [*field.children, *(variant.group for variant in field.variants), *([field.item] if field.item else [])]
    return field.kind != "secret" and field.kind not in FILES and all(map(_is_kept, parts))
