"""The resources for working with runs: settings, database, Redis, queue, tasks and files."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from redis import Redis
from rq import Queue

from config import Settings
from jobs.authoring.catalog import Catalog, load_catalog
from jobs.authoring.task import TaskSummary
from jobs.runs.durations import Durations
from jobs.runs.files import RecordedFiles
from jobs.runs.queue import open_queue
from jobs.runs.vault import Vault
from jobs.storage.database import Database
from jobs.storage.local_store import LocalStore
from jobs.storage.redis import connect_redis
from jobs.storage.s3_store import Bucket, S3Store
from jobs.storage.store import FileStore, ObjectStore


@dataclass(frozen=True)
class Backend:
    settings: Settings
    database: Database
    redis: Redis
    queue: Queue
    catalog: Catalog
    files: FileStore
    vault: Vault
    tasks: Mapping[str, TaskSummary]
    """The tasks by name, without their code, as workers need them."""
    durations: Durations = field(default_factory=Durations)

    @cached_property
    def codes(self) -> str:
        """The version of the code of each task, as a JSON object."""
        return json.dumps({name: task.code for name, task in self.tasks.items() if task.code})

    @property
    def workspaces(self) -> Path:
        """The folder that holds the workspaces of this machine's running runs; TASK_USER cannot enter DATA_DIR."""
        if self.settings.task_user:
            return self.settings.temporary("workspaces")
        return self.settings.data_dir / "workspaces"


def open_backend(settings: Settings, catalog: Catalog | None = None) -> Backend:
    """Create a backend; connections open on first use. Raises TaskError for a broken task file."""
    redis = connect_redis(settings)
    loaded = load_catalog(settings.tasks) if catalog is None else catalog
    database = Database(settings.database)
    files = RecordedFiles(open_objects(settings), database)
    vault, tasks = Vault(database, settings), {name: task.summary for name, task in loaded.items()}
    return Backend(settings, database, redis, open_queue(redis), loaded, files, vault, tasks)


def open_objects(settings: Settings) -> ObjectStore:
    """Return the store that FILES_URL names, or the folder of files in DATA_DIR."""
    if not settings.files_url:
        return LocalStore(settings.files)
    name, _, prefix = settings.files_url.removeprefix("s3://").partition("/")
    return S3Store(Bucket(name, prefix, settings.aws_endpoint_url, settings.aws_region), settings.files)
