"""The names that a task file imports: `@task`, the context types, and the types that a task may return."""

from jobs.charts import Chart
from jobs.context import Cancelled, Checkpoint, Emit, FinalFailure, Log, Progress, StopRun, User
from jobs.downloads import Download
from jobs.files import File, FileField
from jobs.pictures import Tile
from jobs.results import Html, Markdown
from jobs.secrets import MissingSecret, Secrets
from jobs.show import Show
from jobs.task import LongText, Slider, task
from jobs.workspace import Workspace

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
