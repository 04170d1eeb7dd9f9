"""What a worker does with one run: claim it, have its task called, record how it ended."""

import logging
import random
import time
from collections.abc import Callable

from sqlalchemy.exc import InterfaceError, InternalError, OperationalError, SQLAlchemyError

from jobs import events, lease
from jobs.backend import Backend
from jobs.lease import LONGEST_BACKOFF_SECONDS, Change
from jobs.outcome import Failure, Interrupted, Outcome, Stopped, Success
from jobs.runs import Run
from jobs.task import Task

log = logging.getLogger(__name__)

RECORD_AGAIN_SECONDS = 1.0

Report = Callable[[float | None, str], None]
Execute = Callable[[Run, Report], Outcome]


def attend(backend: Backend, run_id: int, worker: str, execute: Execute) -> None:
    """See a run through, if it still waits; a run that somebody else has is left alone.

    `execute` calls the task, wherever that is, and passes its progress on to the function it is given.
    """
    run = lease.claim(backend.database, run_id, worker, backend.settings.lease_seconds, backend.catalog)
    if run is None:
        log.info("run %d does not wait any more", run_id)
        return
    events.publish(backend.redis, Change(run.id, run.owner_id, run.version))

    def report(fraction: float | None, note: str) -> None:
        try:
            change = lease.report(backend.database, run, fraction, note)
        except SQLAlchemyError as error:
            log.warning("the progress of run %d could not be recorded (%s); it goes on", run_id, type(error).__name__)
            return
        if change:
            events.publish(backend.redis, change)

    outcome = execute(run, report)
    changes = _record_patiently(backend, run, outcome)
    events.publish(backend.redis, *changes)
    if not changes:
        log.warning("run %d was taken over by another worker; its outcome here is dropped", run_id)


def backoff(task: Task, failures: int) -> float:
    """How many seconds a run that failed so often before waits: doubling, capped, with jitter against stampedes."""
    longest = min(LONGEST_BACKOFF_SECONDS, task.backoff * 2 ** min(failures, 30))
    return random.uniform(longest / 2, longest)


def _record_patiently(backend: Backend, run: Run, outcome: Outcome) -> list[Change]:
    """Record an outcome, also when the database is away for a while: the lease tells how long that is worth it."""
    deadline = time.monotonic() + backend.settings.lease_seconds * (1 - 1 / lease.RENEWALS_PER_LEASE)
    while True:
        try:
            change = _record(backend, run, outcome)
            return [change] if change else []
        except (InterfaceError, InternalError, OperationalError):
            if time.monotonic() > deadline:
                raise
            log.warning("the outcome of run %d could not be recorded yet", run.id, exc_info=True)
            time.sleep(RECORD_AGAIN_SECONDS)


def _record(backend: Backend, run: Run, outcome: Outcome) -> Change | None:
    match outcome:
        case Success(result):
            return lease.succeed(backend.database, run, result)
        case Stopped():
            return lease.stop(backend.database, run)
        case Interrupted():
            return lease.give_back(backend.database, run)
        case Failure():
            return _fail(backend, run, outcome)


def _fail(backend: Backend, run: Run, failure: Failure) -> Change | None:
    task = backend.catalog.get(run.task)
    if task is None or failure.final or run.failures >= task.retries:
        return lease.fail(backend.database, run, failure)
    return lease.postpone(backend.database, run, failure, backoff(task, run.failures))


def warm_up(backend: Backend) -> None:
    """Compile the statements of a run's life, by changing a run that cannot exist."""
    nobody = Run(id=0, lease_token="")
    lease.claim(backend.database, nobody.id, "")
    lease.report(backend.database, nobody, None, "")
    lease.succeed(backend.database, nobody, None)
    lease.fail(backend.database, nobody, Failure("", ""))
