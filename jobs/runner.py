"""What a worker does with one run: claim it, have its task called, record how it ended."""

import logging
import random
import time
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError

from jobs import events, lease
from jobs.backend import Backend
from jobs.lease import LONGEST_BACKOFF_SECONDS, Change, Claim
from jobs.outcome import Failure, Interrupted, Outcome, Stopped, Success
from jobs.runs import Run
from jobs.task import Task
from jobs.unstored import AWAY, Unstored

log = logging.getLogger(__name__)

RECORD_AGAIN_SECONDS = 1.0


@dataclass(frozen=True)
class Ended:
    """What became of the outcome of one run, and the run that was taken with it."""

    changes: list[Change]
    following: Run | None = None


def take(backend: Backend, run_id: int, worker: str) -> Run | None:
    """Claim a run, if it still waits; one that somebody else has is left alone."""
    run = lease.claim(backend.database, run_id, worker, backend.settings.lease_seconds, backend.catalog)
    if run is None:
        log.info("run %d does not wait any more", run_id)
    return run


def report(backend: Backend, run: Run, fraction: float | None, note: str) -> None:
    """Record how far a run has come; it goes on when that fails."""
    try:
        change = lease.report(backend.database, run, fraction, note)
    except SQLAlchemyError as error:
        log.warning("the progress of run %d could not be recorded (%s); it goes on", run.id, type(error).__name__)
        return
    if change:
        events.publish(backend.redis, change)


def end(
    backend: Backend, run: Run, outcome: Outcome, next_id: int | None = None, unstored: Unstored | None = None
) -> Ended:
    """Record how a run ended and, when it succeeded, take the next one along if it still waits.

    What it has put out and is not stored yet comes before that: a page that shows the end shows the last line.
    """
    ended = _record_patiently(backend, run, outcome, next_id, unstored or Unstored(backend, run))
    if not ended.changes:
        log.warning("run %d was taken over by another worker; its outcome here is dropped", run.id)
    return ended


def backoff(task: Task, failures: int) -> float:
    """How many seconds a run that failed so often before waits: doubling, capped, with jitter against stampedes."""
    longest = min(LONGEST_BACKOFF_SECONDS, task.backoff * 2 ** min(failures, 30))
    return random.uniform(longest / 2, longest)


def _record_patiently(backend: Backend, run: Run, outcome: Outcome, next_id: int | None, unstored: Unstored) -> Ended:
    """Record an outcome, also when the database is away for a while: the lease tells how long that is worth it."""
    deadline = time.monotonic() + backend.settings.lease_seconds * (1 - 1 / lease.RENEWALS_PER_LEASE)
    while True:
        try:
            unstored.store()
            return _record(backend, run, outcome, next_id)
        except AWAY:
            if time.monotonic() > deadline:
                raise
            log.warning("the outcome of run %d could not be recorded yet", run.id, exc_info=True)
            time.sleep(RECORD_AGAIN_SECONDS)


def _record(backend: Backend, run: Run, outcome: Outcome, next_id: int | None) -> Ended:
    following = None
    match outcome:
        case Success(result) if next_id is not None:
            claim = Claim(next_id, str(run.worker), backend.settings.lease_seconds, backend.catalog)
            change, following = lease.succeed_and_claim(backend.database, run, result, claim)
        case Success(result):
            change = lease.succeed(backend.database, run, result)
        case Stopped():
            change = lease.stop(backend.database, run)
        case Interrupted():
            change = lease.give_back(backend.database, run)
        case Failure():
            change = _fail(backend, run, outcome)
    return Ended([change] if change else [], following)


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
    lease.succeed_and_claim(backend.database, nobody, None, Claim(nobody.id, ""))
    lease.fail(backend.database, nobody, Failure("", ""))
