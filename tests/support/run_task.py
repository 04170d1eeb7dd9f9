"""The fixture `run_task`, for tests of tasks: has the real worker run one, and returns how the run ended.

    def test_it_runs_as_for_its_users(run_task: RunTask) -> None:
        run = run_task(shout, text="ha", times=2)
        assert (run.state, run.result, run.error) == ("succeeded", "ha ha", None)

A database, a Redis and a worker start with the first run and serve all tests; a run takes some hundredths of a second.
"""

import itertools
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from jobs.authoring.catalog import Catalog
from jobs.authoring.task import Task
from jobs.runs.backend import Backend, open_backend
from jobs.runs.output import read_output
from jobs.runs.output_entries import OutputKind
from jobs.runs.run import Run, State
from jobs.runs.submission import submit
from jobs.worker.process import die_with_parent
from jobs.worker.supervisor import Supervisor
from tests.conftest import redis_running, settings_for
from tests.support import databases
from tests.support.forked_template import forked
from tests.support.people import make_owner, read
from tests.support.serving import end
from tests.support.waiting import until

LONGEST_SECONDS = 600.0
START_SECONDS = 60.0


@dataclass(frozen=True)
class EndedRun:
    """The outcome of a run: its result and notes or its error as shown on its page, and its output."""

    id: int
    state: State
    result: Any
    notes: list[str]
    error: str | None
    traceback: str | None
    output: list[str]
    emitted: list[Any]


class RunTask:
    """The type of the fixture `run_task`."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self._tasks: dict[str, Task] = {}
        self._numbers = itertools.count(1)
        self._pool: multiprocessing.process.BaseProcess | None = None

    def __call__(
        self, function: Callable[..., Any], /, *, secrets: Mapping[str, str] | None = None, **parameters: Any
    ) -> EndedRun:
        """Submit a run of a task for a new user, as its form does, and wait until it has ended.

        `secrets` are what that user has entered under Account → Secrets.
        Raises ValidationError for parameters that the form would refuse.
        """
        task: Task = function.__dict__["__task__"]
        validated = task.parameters.model_validate(parameters)
        self._serve(task)
        owner_id = make_owner(self.backend, f"user{next(self._numbers)}@example.com")
        for name, value in (secrets or {}).items():
            self.backend.vault.put(owner_id, name, value)
        run = submit(self.backend, task, owner_id, validated)
        patience = min(task.timeout, LONGEST_SECONDS) + START_SECONDS
        until(lambda: read(self.backend, run).state.ended, f"the end of {task.name}", patience)
        return self._ended(read(self.backend, run))

    def close(self) -> None:
        if self._pool is not None:
            end(self._pool)

    def _serve(self, task: Task) -> None:
        """Ensure that a worker with this task is running. A task defined again gets a new worker."""
        if self._tasks.get(task.name) is task:
            return
        self.close()
        self._tasks[task.name] = task
        self.backend.database.close()
        with_tasks = open_backend(self.backend.settings, Catalog(self._tasks))
        self._pool = multiprocessing.get_context("fork").Process(target=_work, args=(with_tasks, os.getpid()))
        self._pool.start()

    def _ended(self, run: Run) -> EndedRun:
        error = f"{run.error_kind}: {run.error_message}" if run.error_kind else None
        lines, emitted = (self._put_out(run, kind) for kind in (OutputKind.LOG, OutputKind.EMITTED))
        return EndedRun(run.id, run.state, run.result, run.notes or [], error, run.error_traceback, lines, emitted)

    def _put_out(self, run: Run, kind: OutputKind) -> list[Any]:
        batches = read_output(self.backend.database, run.id, kind).batches
        return [entry.content for batch in batches for entry in batch.entries]


@pytest.fixture(scope="session")
def run_task(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Iterator[RunTask]:
    """Run a task with a real worker: `run_task(shout, text="ha")`."""
    data_dir = tmp_path_factory.mktemp("run_task")
    databases.copy(empty_database, data_dir)
    # A Redis of its own: the other tests empty theirs.
    settings = settings_for(data_dir, database_url=databases.url_of(data_dir), secret_key="only for tests" * 3)
    with redis_running(settings):
        backend = open_backend(settings, Catalog({}))
        runs = RunTask(backend)
        try:
            yield runs
        finally:
            runs.close()
            backend.database.close()
            databases.drop(data_dir)


def _work(backend: Backend, parent: int) -> None:
    die_with_parent(parent, signal.SIGTERM)
    Supervisor(backend, 1, forked(backend.catalog)).run()
