"""The task catalog for commands and development, in which a broken task does not block the others."""

from collections.abc import Sequence
from pathlib import Path

from jobs.authoring import Catalog, TaskError, examine_catalog
from webapp import forms


def usable(folders: Sequence[Path]) -> tuple[Catalog, list[TaskError]]:
    """Return the tasks in these folders that can be run and shown as forms, and the errors of the others."""
    found, errors = examine_catalog(folders)
    shown = {}
    for task in found.values():
        try:
            forms.fields_of(task)
        except TaskError as error:
            errors.append(error)
        else:
            shown[task.name] = task
    return Catalog(shown), errors
