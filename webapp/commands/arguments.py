"""Task forms on the command line: each field is an option, parsed and validated as on the page."""

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import click
from pydantic import BaseModel
from werkzeug.datastructures import MultiDict

from jobs import File
from jobs.authoring import Task, files_in
from webapp import forms
from webapp.forms import Field, OwnInputs
from webapp.forms.fields import FILES, Missing

Keep = Callable[[Path], File]

TAKEN = ("help", "as", "follow", "save", "example")


def options_of(task: Task) -> list[click.Parameter]:
    """Return an option for each field of a task's form."""
    return [_option(field) for field in forms.fields_of(task)]


def read(
    task: Task, given: Mapping[str, Any], keep: Keep = File.at, otherwise: Mapping[str, Any] | None = None
) -> BaseModel:
    """Parse the options into parameters, with defaults from `otherwise` (JSON); `keep` stores the files at paths.

    Raises UsageError with a line for each invalid option.
    """
    posted: MultiDict[str, str] = MultiDict()
    sizes: dict[str, int] = {}
    for field in forms.fields_of(task):
        if field.kind in FILES:
            files = _given_files(field, given.get(field.name), keep) or files_in((otherwise or {}).get(field.name))
            sizes |= _post_files(posted, field, files)
        else:
            _post(posted, field, given.get(field.name), (otherwise or {}).get(field.name, Missing))
    parameters, form = forms.read(task, posted, OwnInputs(lambda _wanted: sizes))
    if parameters is None:
        lines = (f"{_spelled(name)}: {message}" if name else message for name, message in form.errors.items())
        raise click.UsageError("\n".join(lines))
    return parameters


def _option(field: Field) -> click.Option:
    name = _spelled(field.name)
    says = field.help or field.label
    if field.kind == "switch":
        return click.Option([f"{name}/--no-{name.removeprefix('--')}", field.name], default=None, help=says)
    if field.kind in FILES:
        path = click.Path(exists=True, dir_okay=False, path_type=Path)
        needed = "  [required]" if field.required else ""
        return click.Option([name, field.name], type=path, multiple=field.kind == "files", help=says + needed)
    kind = click.Choice([choice.text for choice in field.choices]) if field.choices else None
    needed = "  [required]" if field.required and field.initial is None else ""
    many = field.kind == "checks"
    word = None if kind else "JSON" if field.is_compound else field.kind.upper()
    return click.Option([name, field.name], type=kind, metavar=word, multiple=many, help=says + needed)


def _spelled(name: str) -> str:
    return f"--{'parameter-' if name in TAKEN else ''}{name.replace('_', '-')}"


def _post(posted: MultiDict[str, str], field: Field, value: Any, otherwise: Any) -> None:
    """Add what a browser would send for a field; compound values are given as JSON."""
    if value is None or value == ():
        forms.put(posted, field, otherwise)
    elif field.kind in ("switch", "checks"):
        forms.put(posted, field, list(value) if field.kind == "checks" else value)
    elif field.is_compound:
        forms.put(posted, field, _parsed(field, value))
    else:
        posted.add(field.name, str(value))


def _given_files(field: Field, value: Any, keep: Keep) -> list[File]:
    return [keep(path) for path in (value if field.kind == "files" else [value]) if path]


def _post_files(posted: MultiDict[str, str], field: Field, files: Iterable[File]) -> dict[str, int]:
    """Add what a browser would send for files that are already stored, and return their sizes by hash."""
    sizes = {}
    for file in files:
        posted.add(field.name, forms.reference_to(file))
        sizes[file.sha256] = file.size
    return sizes


def _parsed(field: Field, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise click.UsageError(f"{_spelled(field.name)}: Invalid JSON: {error}") from None
