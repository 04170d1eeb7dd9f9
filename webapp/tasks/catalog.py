"""The catalog of the web application, in which a broken task does not block the others."""

from collections.abc import Sequence
from pathlib import Path

from jobs.authoring import Catalog, TaskError, examine_catalog
from webapp.forms.trial import try_out


def usable(folders: Sequence[Path]) -> tuple[Catalog, list[TaskError]]:
    """Return the tasks in these folders whose forms can be submitted, and the errors of the others."""
    found, errors = examine_catalog(folders)
    shown = {}
    for task in found.values():
        try:
            try_out(task)
        except TaskError as error:
            errors.append(error)
        else:
            shown[task.name] = task
    return Catalog(shown), errors
