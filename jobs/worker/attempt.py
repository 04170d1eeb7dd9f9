"""What a worker does with one run: claim it, have its task called, record how it ended."""

import logging
import random
import time
from dataclasses import dataclass
from pathlib import Path

from jobs.authoring.secret_parameters import tokens_in
from jobs.authoring.task import TaskSummary
from jobs.runs import checkpoints, heartbeats, lease, people
from jobs.runs.backend import Backend
from jobs.runs.lease import LONGEST_BACKOFF_SECONDS, Change, Claim
from jobs.runs.run import Run
from jobs.values.outcome import Failure, Interrupted, Lost, Outcome, Stopped, Success
from jobs.worker.execute import Order
from jobs.worker.pending_output import AWAY, PendingOutput
from jobs.worker.sweeper import revive

log = logging.getLogger(__name__)

RECORD_AGAIN_SECONDS = 1.0


@dataclass(frozen=True)
class Ended:
    """What became of the outcome of one run, and the run that was taken with it."""

    changes: list[Change]
    following: Run | None = None


def take(backend: Backend, run_id: int, worker: str) -> Run | None:
    """Claim a run, if it still waits; one that somebody else has is left alone."""
    run = lease.claim(backend.database, run_id, worker, backend.settings.lease_seconds, backend.tasks)
    if run is None:
        log.info("run %d does not wait any more", run_id)
    return run


def order_for(backend: Backend, run: Run, task: TaskSummary, folder: Path) -> Order:
    """Gather what the process of a run gets, and nothing more."""
    database, asked = backend.database, task.asks_for
    value = checkpoints.load(database, run.id) if "Checkpoint" in asked else None
    owner = (run.owner_id, people.address_of(database, run.owner_id) if "User" in asked else "")
    secrets = backend.vault.values(run.owner_id, task.secrets) if "Secrets" in asked else {}
    opened = backend.vault.opened(run.owner_id, tokens_in(run.parameters))
    return Order(run.task, run.parameters, value, owner, str(folder), secrets, opened)


def end(
    backend: Backend, run: Run, outcome: Outcome, next_id: int | None = None, pending: PendingOutput | None = None
) -> Ended:
    """Record how a run ended and, when it succeeded, take the next one along if it still waits.

    What it has put out and is not stored yet comes before that: a page that shows the end shows the last line.
    """
    ended = _record_patiently(backend, run, outcome, next_id, pending or PendingOutput(backend, run))
    if not ended.changes:
        log.warning("run %d was taken over by another worker; its outcome here is dropped", run.id)
    return ended


def backoff(task: TaskSummary, failures: int) -> float:
    """How many seconds a run that failed so often before waits: doubling, capped, with jitter against stampedes."""
    longest = min(LONGEST_BACKOFF_SECONDS, task.backoff * 2 ** min(failures, 30))
    return random.uniform(longest / 2, longest)


def _record_patiently(
    backend: Backend, run: Run, outcome: Outcome, next_id: int | None, pending: PendingOutput
) -> Ended:
    """Record an outcome, also when the database is away for a while: the lease tells how long that is worth it."""
    deadline = time.monotonic() + backend.settings.lease_seconds * (1 - 1 / lease.RENEWALS_PER_LEASE)
    while True:
        try:
            pending.store()
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
            claim = Claim(next_id, str(run.worker), backend.settings.lease_seconds, backend.tasks)
            change, following = lease.succeed_and_claim(backend.database, run, result, claim)
        case Success(result):
            change = lease.succeed(backend.database, run, result)
        case Stopped():
            change = lease.stop(backend.database, run)
        case Interrupted():
            change = lease.give_back(backend.database, run)
        case Lost():
            changes = lease.lose(backend.database, str(run.worker))
            revive(backend, changes)
            return Ended(changes)
        case Failure():
            change = _fail(backend, run, outcome)
    return Ended([change] if change else [], following)


def _fail(backend: Backend, run: Run, failure: Failure) -> Change | None:
    task = backend.tasks.get(run.task)
    if task is None or failure.final or run.failures >= task.retries:
        return lease.fail(backend.database, run, failure)
    return lease.postpone(backend.database, run, failure, backoff(task, run.failures))


def warm_up(backend: Backend) -> None:
    """Compile the statements of a run's life, by changing a run that cannot exist."""
    heartbeats.warm_up(backend.database)
    nobody = Run(id=0, lease_token="")
    lease.claim(backend.database, nobody.id, "")
    lease.report(backend.database, nobody, None, "")
    lease.succeed(backend.database, nobody, None)
    lease.succeed_and_claim(backend.database, nobody, None, Claim(nobody.id, ""))
    lease.fail(backend.database, nobody, Failure("", ""))
