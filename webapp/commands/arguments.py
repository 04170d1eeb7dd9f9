"""A task's form on the command line: each of its fields is an option, read and refused as on the page."""

from collections.abc import Mapping
from typing import Any

import click
from pydantic import BaseModel

from jobs import Task
from webapp import forms
from webapp.forms import Field

TAKEN = ("help", "as", "follow", "save")


def options_of(task: Task) -> list[click.Parameter]:
    """An option for each field of a task's form."""
    return [_option(field) for field in forms.fields_of(task)]


def read(task: Task, given: Mapping[str, Any]) -> BaseModel:
    """The parameters that the options say. Raises UsageError with a line for each that is refused."""
    defaults = forms.blank(task, {}).values
    posted = {field.name: text for field in forms.fields_of(task) if (text := _posted(field, given, defaults))}
    parameters, form = forms.read(task, posted)
    if parameters is None:
        lines = (f"{_spelled(name)}: {message}" if name else message for name, message in form.errors.items())
        raise click.UsageError("\n".join(lines))
    return parameters


def _option(field: Field) -> click.Option:
    name = _spelled(field.name)
    says = field.help or field.label
    if field.kind == "switch":
        return click.Option([f"{name}/--no-{name.removeprefix('--')}", field.name], default=None, help=says)
    kind = click.Choice([choice.text for choice in field.choices]) if field.choices else None
    needed = "  [required]" if field.required and field.default is None else ""
    return click.Option([name, field.name], type=kind, metavar=None if kind else field.kind.upper(), help=says + needed)


def _spelled(name: str) -> str:
    return f"--{'parameter-' if name in TAKEN else ''}{name.replace('_', '-')}"


def _posted(field: Field, given: Mapping[str, Any], defaults: Mapping[str, Any]) -> str | None:
    """What a browser would send: nothing for a switch that is off."""
    value = given.get(field.name)
    if field.kind != "switch":
        return None if value is None else str(value)
    return "on" if (defaults.get(field.name) if value is None else value) else None
