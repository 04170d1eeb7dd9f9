"""The doors in: submit, cancel, retry. Each commits the row first and only then tells anybody."""

import logging
from typing import Any

from pydantic import BaseModel, ValidationError
from redis.exceptions import RedisError

from jobs import events, lease, queue
from jobs.backend import Backend
from jobs.lease import Change
from jobs.runs import Run, State, owned
from jobs.task import Task, TaskError

log = logging.getLogger(__name__)


class Conflict(Exception):
    """The run is not in a state in which this can be done; the message says so to its owner."""


def submit(backend: Backend, task: Task, owner_id: int, parameters: BaseModel) -> Run:
    """Accept a run: when this returns it is in the database, and it will start even if Redis is away now.

    Raises TaskError for a task whose validators change what they accept: the worker validates what was kept.
    """
    kept = parameters.model_dump(mode="json")
    if not _survives(task, parameters, kept):
        raise TaskError(
            f"{task.source}: task {task.name!r}: its validators must leave a value that they accept as it is"
        )
    return _accept(backend, task.name, owner_id, kept)


def cancel(backend: Backend, owner_id: int, run_id: int) -> None:
    """End a run that still waits. Raises Conflict when it has started or ended."""
    change = lease.cancel(backend.database, run_id, owner_id)
    if change is None:
        raise Conflict("Only a run that still waits can be cancelled; this one has already started or ended.")
    events.publish(backend.redis, change)


def retry(backend: Backend, owner_id: int, run: Run) -> Run:
    """Run once more: one that succeeded keeps its result and a new run is made; any other gets its next attempt.

    Returns the run to look at. Raises Conflict while the run has not ended.
    """
    if run.state is State.SUCCEEDED:
        return _accept(backend, run.task, owner_id, run.parameters)
    change = lease.requeue(backend.database, run.id, owner_id)
    if change is None:
        raise Conflict("This run has not ended yet; it can be run again when it has.")
    with backend.database.read() as session:
        again = owned(session, owner_id, run.id)
    assert again is not None
    _wake(backend, again, change)
    return again


def push(backend: Backend, run: Run) -> bool:
    """Wake a worker for a queued run; False when Redis is away, and then the sweeper does it later."""
    try:
        queue.push(backend.queue, run.id, run.attempt)
    except RedisError as error:
        log.warning("Redis did not take run %d (%s); it will be pushed when Redis is back", run.id, error)
        return False
    return True


def _survives(task: Task, parameters: BaseModel, kept: dict[str, Any]) -> bool:
    """Whether what is kept leads the worker, which validates it again, to the same parameters."""
    try:
        return task.parameters.model_validate(kept) == parameters
    except ValidationError:
        return False


def _accept(backend: Backend, task: str, owner_id: int, parameters: dict[str, Any]) -> Run:
    run = Run(task=task, owner_id=owner_id, parameters=parameters)
    with backend.database.write() as session:
        session.add(run)
    _wake(backend, run, Change(run.id, owner_id, run.version))
    return run


def _wake(backend: Backend, run: Run, change: Change) -> None:
    if push(backend, run):
        events.publish(backend.redis, change)
