"""The task catalog for commands and development, in which a broken task does not block the others."""

from jobs.authoring import Catalog, TaskError, examine_catalog
from webapp import forms


def usable() -> tuple[Catalog, list[TaskError]]:
    """Return the tasks that can be run and shown as forms, and the errors of the others."""
    found, errors = examine_catalog()
    shown = {}
    for task in found.values():
        try:
            forms.fields_of(task)
        except TaskError as error:
            errors.append(error)
        else:
            shown[task.name] = task
    return Catalog(shown), errors
