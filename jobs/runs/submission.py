"""The doors in: submit, cancel, retry. Each commits the row first and only then tells anybody."""

import logging
from typing import Any

from pydantic import BaseModel, ValidationError
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from jobs.authoring import secret_parameters
from jobs.authoring.task import Task, TaskError
from jobs.runs import events, file_ownership, lease, queue
from jobs.runs.backend import Backend
from jobs.runs.lease import Change
from jobs.runs.run import Run, State, owned
from jobs.storage.database import utcnow

log = logging.getLogger(__name__)


class Conflict(Exception):
    """The run is not in a state in which this can be done; the message says so to its owner."""


def submit(backend: Backend, task: Task, owner_id: int, parameters: BaseModel) -> Run:
    """Accept a run: when this returns it is in the database, and it will start even if Redis is away now.

    Its files are its own from then on, and its secrets are sealed. Raises NotKept if one of its files is not the
    owner's, or not any more, and TaskError for a task whose validators change what they accept (the worker validates
    what was kept) or whose models write their secrets into other texts.
    """
    secrets: dict[str, str] = {}

    def seal(secret: str) -> dict[str, str]:
        token = backend.vault.seal(owner_id, secret)
        secrets[token] = secret
        return secret_parameters.reference_to(token)

    try:
        kept = secret_parameters.kept(parameters, seal)
    except secret_parameters.UnsealedSecret as error:
        raise TaskError(f"{task.source}: task {task.name!r}: {error}") from None
    if not _survives(task, parameters, secret_parameters.opened(kept, secrets)):
        raise TaskError(
            f"{task.source}: task {task.name!r}: its validators must leave a value that they accept as it is"
        )
    return _accept(backend, task.name, owner_id, kept)


def cancel(backend: Backend, owner_id: int, run_id: int) -> None:
    """End a run: one that waits ends at once, one that runs is asked to stop; asking again changes nothing.

    Raises Conflict when the run has ended otherwise.
    """
    if change := lease.cancel(backend.database, run_id, owner_id):
        events.publish(backend.redis, change)
    elif change := lease.request_stop(backend.database, run_id, owner_id):
        events.publish(backend.redis, change)
        _wake_its_worker(backend, owner_id, run_id)
    elif (run := _read(backend, owner_id, run_id)) and run.state.ended and run.state is not State.CANCELLED:
        raise Conflict("This run has already ended, so there is nothing to stop.")
    elif run and run.state is State.QUEUED:  # it was given back between the two
        cancel(backend, owner_id, run_id)


def retry(backend: Backend, owner_id: int, run: Run) -> Run:
    """Run once more: one that succeeded keeps its result and a new run is made; any other gets its next attempt.

    Returns the run to look at. Raises Conflict while the run has not ended.
    """
    if run.state is State.SUCCEEDED:
        return _accept(backend, run.task, owner_id, run.parameters)
    change = lease.requeue(backend.database, run.id, owner_id)
    if change is None:
        raise Conflict("This run has not ended yet; it can be run again when it has.")
    again = _read(backend, owner_id, run.id)
    assert again is not None
    _wake(backend, again, change)
    return again


def push(backend: Backend, *runs: Run) -> bool:
    """Wake workers for queued runs; False when Redis does not take them, and then the sweeper does it later.

    The row notes a wake-up that failed, so that the page can tell, and that it succeeded at last.
    """
    try:
        queue.push(backend.queue, *[(run.id, run.attempt) for run in runs])
    except RedisError as error:
        log.warning("Redis did not take run %d (%s); it will be pushed when Redis is back", runs[0].id, error)
        _note_push(backend, runs[0], failed=True)
        return False
    for run in runs:
        if run.push_failed_at is not None:
            _note_push(backend, run, failed=False)
    return True


def _note_push(backend: Backend, run: Run, failed: bool) -> None:
    try:
        change = lease.note_push(backend.database, run.id, run.attempt, failed)
    except SQLAlchemyError:
        log.warning("the push of run %d could not be noted", run.id, exc_info=True)
        return
    if change:
        run.version, run.push_failed_at = change.version, utcnow() if failed else None
        if not failed:  # a Redis that has just not answered would have the submitter wait once more
            events.publish(backend.redis, change)


def _wake_its_worker(backend: Backend, owner_id: int, run_id: int) -> None:
    run = _read(backend, owner_id, run_id)
    if run is None or run.worker is None:
        return
    try:
        queue.wake(backend.redis, run.worker)
    except RedisError as error:
        log.warning("Redis did not take the stop of run %d (%s); its worker sees it in the row", run_id, error)


def _read(backend: Backend, owner_id: int, run_id: int) -> Run | None:
    with backend.database.read() as session:
        return owned(session, owner_id, run_id)


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
        file_ownership.attach(session, run)
    _wake(backend, run, Change(run.id, owner_id, run.version))
    return run


def _wake(backend: Backend, run: Run, change: Change) -> None:
    if push(backend, run):
        events.publish(backend.redis, change)
