"""The tasks as commands and developers find them: one that is broken is in nobody's way."""

from jobs.authoring import Catalog, TaskError, examine_catalog
from webapp import forms


def usable() -> tuple[Catalog, list[TaskError]]:
    """The tasks that can be run and shown as forms, and what is wrong with each of the others."""
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
