"""Task definition: the decorator, parameters and their models, context types, and the catalog."""

from jobs.authoring.catalog import Catalog, examine_catalog
from jobs.authoring.file_parameters import MB, file_in, files_in, kinds_in_words
from jobs.authoring.secret_parameters import token_in
from jobs.authoring.secrets import HIDDEN
from jobs.authoring.task import Task, TaskError

__all__ = [
    "HIDDEN",
    "MB",
    "Catalog",
    "Task",
    "TaskError",
    "examine_catalog",
    "file_in",
    "files_in",
    "kinds_in_words",
    "token_in",
]
