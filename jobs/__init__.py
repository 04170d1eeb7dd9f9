"""The public API for task files: `@task`, the context types, and the types that a task may return."""

from jobs.authoring.context import Cancelled, Checkpoint, Emit, FinalFailure, Log, Progress, StopRun, User
from jobs.authoring.file_parameters import File, FileField
from jobs.authoring.secrets import MissingSecret, Secrets
from jobs.authoring.show import Show
from jobs.authoring.task import LongText, Slider, task
from jobs.authoring.workspace import Workspace
from jobs.values.charts import Chart
from jobs.values.downloads import Download
from jobs.values.images import Tile
from jobs.values.results import Html, Markdown

__all__ = [
    "Cancelled",
    "Chart",
    "Checkpoint",
    "Download",
    "Emit",
    "File",
    "FileField",
    "FinalFailure",
    "Html",
    "Log",
    "LongText",
    "Markdown",
    "MissingSecret",
    "Progress",
    "Secrets",
    "Show",
    "Slider",
    "StopRun",
    "Tile",
    "User",
    "Workspace",
    "task",
]
