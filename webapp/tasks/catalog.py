"""The task catalog for commands and development, in which a broken task does not block the others."""

from jobs.authoring.catalog import Catalog, examine_catalog
from jobs.authoring.task import TaskError
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
