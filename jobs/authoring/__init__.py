"""Task definition: the decorator, parameters and their models, context types, and the catalog."""

from jobs.authoring.catalog import Catalog, errors_that_stop, examine_catalog, load_catalog
from jobs.authoring.file_parameters import MB, file_in, files_in, kinds_in_words, problem_with
from jobs.authoring.parameters import Unstorable, load, stored
from jobs.authoring.partial_parameters import without
from jobs.authoring.secret_parameters import SecretSchema, is_hidden, is_typed_secret, reopened
from jobs.authoring.secrets import HIDDEN
from jobs.authoring.task import Task, TaskError

__all__ = [
    "HIDDEN",
    "MB",
    "Catalog",
    "SecretSchema",
    "Task",
    "TaskError",
    "Unstorable",
    "errors_that_stop",
    "examine_catalog",
    "file_in",
    "files_in",
    "is_hidden",
    "is_typed_secret",
    "kinds_in_words",
    "load",
    "load_catalog",
    "problem_with",
    "reopened",
    "stored",
    "without",
]
