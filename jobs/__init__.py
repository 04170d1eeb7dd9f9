"""Tasks, runs, the queue and the workers. What is exported here is all that the web application uses."""

from jobs import events
from jobs.backend import Backend, open_backend
from jobs.batch import Entry, Kind
from jobs.belongings import NotKept, QuotaExceeded, note_uploads, sizes_of, used_bytes
from jobs.catalog import Catalog, examine_catalog, load_catalog
from jobs.charts import Chart, chart_in
from jobs.context import Cancelled, Checkpoint, Emit, FinalFailure, Log, Progress, StopRun
from jobs.db import Base, Database, UtcDateTime, utcnow
from jobs.downloads import Download, KeptFile, download_in
from jobs.embedded_redis import NoRedis, start_redis
from jobs.files import MB, File, FileField, file_in, files_in, kinds_in_words, media_type_of
from jobs.frames import frame_in
from jobs.local import Listener, run_here
from jobs.local_store import LocalStore
from jobs.outcome import Failure, Outcome, Stopped, Success
from jobs.outlook import Outlook, outlooks
from jobs.output import Output, Stored, read_output
from jobs.people import User
from jobs.pictures import Picture, Tile, picture_in
from jobs.presence import alive
from jobs.process import die_with_parent
from jobs.redis import connect_redis
from jobs.results import MARKS, Html, Markdown, html_in, markdown_in
from jobs.run_files import owned_file, stored_in
from jobs.runs import LARGEST_ID, Ending, Listing, Run, State, endings, listed, owned, versions
from jobs.sealed import token_in
from jobs.secrets import HIDDEN, MissingSecret, Secrets
from jobs.show import Show
from jobs.store import FileStore, FileWriter, RunFile, StoreAway
from jobs.submit import Conflict, cancel, retry, submit
from jobs.task import LongText, Slider, Task, TaskError, task
from jobs.vault import RefusedSecret, Vault
from jobs.workspace import Workspace

__all__ = [
    "HIDDEN",
    "LARGEST_ID",
    "MARKS",
    "MB",
    "Backend",
    "Base",
    "Cancelled",
    "Catalog",
    "Chart",
    "Checkpoint",
    "Conflict",
    "Database",
    "Download",
    "Emit",
    "Ending",
    "Entry",
    "Failure",
    "File",
    "FileField",
    "FileStore",
    "FileWriter",
    "FinalFailure",
    "Html",
    "KeptFile",
    "Kind",
    "Listener",
    "Listing",
    "LocalStore",
    "Log",
    "LongText",
    "Markdown",
    "MissingSecret",
    "NoRedis",
    "NotKept",
    "Outcome",
    "Outlook",
    "Output",
    "Picture",
    "Progress",
    "QuotaExceeded",
    "RefusedSecret",
    "Run",
    "RunFile",
    "Secrets",
    "Show",
    "Slider",
    "State",
    "StopRun",
    "Stopped",
    "StoreAway",
    "Stored",
    "Success",
    "Task",
    "TaskError",
    "Tile",
    "User",
    "UtcDateTime",
    "Vault",
    "Workspace",
    "alive",
    "cancel",
    "chart_in",
    "connect_redis",
    "die_with_parent",
    "download_in",
    "endings",
    "events",
    "examine_catalog",
    "file_in",
    "files_in",
    "frame_in",
    "html_in",
    "kinds_in_words",
    "listed",
    "load_catalog",
    "markdown_in",
    "media_type_of",
    "note_uploads",
    "open_backend",
    "outlooks",
    "owned",
    "owned_file",
    "picture_in",
    "read_output",
    "retry",
    "run_here",
    "sizes_of",
    "start_redis",
    "stored_in",
    "submit",
    "task",
    "token_in",
    "used_bytes",
    "utcnow",
    "versions",
]
