"""Task definition: the decorator, parameters and their models, context types, and the catalog."""

from jobs.authoring.catalog import Catalog, errors_that_stop, examine_catalog, load_catalog
from jobs.authoring.file_parameters import MB, file_in, files_in, kinds_in_words, problem_with
from jobs.authoring.secret_parameters import SecretSchema, is_hidden, is_typed_secret
from jobs.authoring.secrets import HIDDEN
from jobs.authoring.task import Task, TaskError

__all__ = [
    "HIDDEN",
    "MB",
    "Catalog",
    "SecretSchema",
    "Task",
    "TaskError",
    "errors_that_stop",
    "examine_catalog",
    "file_in",
    "files_in",
    "is_hidden",
    "is_typed_secret",
    "kinds_in_words",
    "load_catalog",
    "problem_with",
]
