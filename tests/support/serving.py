"""A backend with a test's own tasks, and one worker that serves them."""

import multiprocessing
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from sqlalchemy import select

from config import Settings
from jobs.authoring.catalog import Catalog
from jobs.runs import heartbeats
from jobs.runs.backend import Backend, open_backend
from jobs.runs.heartbeats import WorkerRow
from jobs.runs.run import Run
from jobs.runs.submission import submit
from jobs.worker.process import die_with_parent
from jobs.worker.supervisor import Supervisor
from jobs.worker.template_process import TemplateProcess
from tests.conftest import opened, redis_running, settings_for
from tests.support.forked_template import forked
from tests.support.people import make_owner, read
from tests.support.waiting import until

STOP_SECONDS = 60.0


def catalog_of(*functions: Callable[..., Any]) -> Catalog:
    return Catalog({function.__name__: function.__dict__["__task__"] for function in functions})


@contextmanager
def template_of(tasks: Catalog) -> Iterator[Callable[[socket.socket], None]]:
    """A template with these tasks, and how a worker asks it for a copy."""
    template = TemplateProcess(start=forked(tasks))
    try:
        until(template.look, "the template")
        yield template.ask_for_copy
    finally:
        template.close()


@contextmanager
def serving(settings: Settings, tasks: Catalog, workers: int = 1) -> Iterator[Backend]:
    """Yield a backend with workers, which execute the submitted runs."""
    opened = open_backend(settings, tasks)
    pool = multiprocessing.get_context("fork").Process(target=_serve, args=(opened, os.getpid(), workers))
    pool.start()
    try:
        until(lambda: heartbeats.alive(opened.database) == workers, "the workers")
        yield opened
    finally:
        end(pool)
    assert heartbeats.alive(opened.database) == 0, "a worker that stops says so"


@contextmanager
def serving_many(folder: Path, empty_database: Path, tasks: Catalog, **values: str) -> Iterator[Backend]:
    """Yield a backend with one worker for many tests, with a Redis of its own: the other tests empty theirs."""
    settings = settings_for(folder)
    with (
        redis_running(settings),
        opened(folder, settings.redis, empty_database, **values) as backend,
        serving(backend.settings, tasks) as one,
    ):
        yield one


def end(process: BaseProcess) -> None:
    """Stop a forked process, by force if it does not end: it may have inherited a lock that is held for good."""
    process.terminate()
    process.join(STOP_SECONDS)
    if process.is_alive():
        process.kill()
        process.join()


def _serve(backend: Backend, parent: int, workers: int) -> None:
    die_with_parent(parent, signal.SIGTERM)
    Supervisor(backend, workers, forked(backend.catalog, backend.settings.task_user)).run()


def start(backend: Backend, name: str, **parameters: Any) -> Run:
    """Submit a run for a new owner."""
    owner_id, task = make_owner(backend, f"{time.time_ns()}@example.com"), backend.catalog[name]
    return submit(backend, task, owner_id, task.parameters.model_validate(parameters))


def kill_worker_of(backend: Backend, run: Run) -> None:
    """Kill the worker that has the run."""
    os.kill(worker_of(backend, run), signal.SIGKILL)


def worker_of(backend: Backend, run: Run) -> int:
    """Return the process id of the worker that has the run."""
    with backend.database.read() as session:
        return session.scalars(select(WorkerRow.pid).where(WorkerRow.name == read(backend, run).worker)).one()


def ended(backend: Backend, run: Run) -> Run:
    until(lambda: read(backend, run).state.ended, "the end of the run")
    return read(backend, run)
