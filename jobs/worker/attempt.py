"""A worker's attempt at one run: claim it, prepare the order for its process, and record the outcome."""

import logging
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.authoring.task import TaskSummary
from jobs.runs import caps, checkpoints, heartbeats, lease, limits, people
from jobs.runs.backend import Backend
from jobs.runs.lease import LONGEST_BACKOFF_SECONDS, Change, Claim
from jobs.runs.run import Run
from jobs.storage.database import AWAY
from jobs.values.outcome import Failure, Interrupted, Lost, Outcome, Stopped, Success
from jobs.worker.execute import Order
from jobs.worker.pending_output import PendingOutput
from jobs.worker.sweeper import revive

log = logging.getLogger(__name__)

RECORD_AGAIN_SECONDS = 1.0


@dataclass(frozen=True)
class Recorded:
    """The changes made by recording one run's outcome, and the next run if it was claimed in the same transaction."""

    changes: list[Change]
    following: Run | None = None


def take(backend: Backend, worker: str) -> Run | None:
    """Claim the run whose turn it is and return it, or return None if none waits."""
    return lease.claim_next(backend.database, _claim(backend, worker))


def take_unknown(backend: Backend, worker: str) -> Run | None:
    """Claim a run that no worker knows how to execute, so that it fails and says so, or return None."""
    return lease.claim_unknown(backend.database, _claim(backend, worker))


def _claim(backend: Backend, worker: str) -> Claim:
    settings, limited = backend.settings, limits.limits_of(backend.tasks)
    by_role = caps.running_by_role(settings)
    return Claim(worker, backend.tasks, backend.durations, settings.lease_seconds, limited, backend.codes, by_role)


def order_for(backend: Backend, run: Run, task: TaskSummary, folder: Path) -> Order:
    """Return the order for a run's process, with only the data that its task asks for."""
    database, asked = backend.database, task.asks_for
    value = checkpoints.load(database, run.id) if "Checkpoint" in asked else None
    owner = (run.owner_id, people.address_of(database, run.owner_id) if "User" in asked else "")
    secrets = backend.vault.values(run.owner_id, task.secrets) if "Secrets" in asked else {}
    parameters: dict[str, Any] | None = run.parameters
    hidden: Sequence[str] = ()
    if run.encrypted_parameters is not None:
        parameters, hidden = backend.vault.unseal_parameters(run.owner_id, run.encrypted_parameters) or (None, ())
    return Order(run.task, parameters, value, owner, str(folder), secrets, hidden)


def end(
    backend: Backend, run: Run, outcome: Outcome, pending: PendingOutput | None = None, goes_on: bool = False
) -> Recorded:
    """Record a run's outcome. If it succeeded and the worker goes on, claim the next run in the same transaction.

    Pending output is stored first, so that a page that shows the end of a run also shows its last line.
    """
    ended = _record_patiently(backend, run, outcome, pending or PendingOutput(backend, run), goes_on)
    if not ended.changes:
        log.warning("discarded the outcome of run %d: another worker holds its lease", run.id)
    return ended


def backoff(task: TaskSummary, failures: int) -> float:
    """Return the delay before the next attempt, in seconds: exponential in `failures`, capped, with random jitter.

    The jitter keeps runs that failed together from retrying together.
    """
    longest = min(LONGEST_BACKOFF_SECONDS, task.backoff * 2 ** min(failures, 30))
    return random.uniform(longest / 2, longest)


def _record_patiently(backend: Backend, run: Run, outcome: Outcome, pending: PendingOutput, goes_on: bool) -> Recorded:
    """Record an outcome, retrying while the database is unavailable and the lease can still be valid."""
    deadline = time.monotonic() + backend.settings.lease_seconds * (1 - 1 / lease.RENEWALS_PER_LEASE)
    while True:
        try:
            pending.store()
            return _record(backend, run, outcome, goes_on)
        except AWAY:
            if time.monotonic() > deadline:
                raise
            log.warning("could not record the outcome of run %d; retrying", run.id, exc_info=True)
            time.sleep(RECORD_AGAIN_SECONDS)


def _record(backend: Backend, run: Run, outcome: Outcome, goes_on: bool) -> Recorded:
    following = None
    match outcome:
        case Success(result, notes) if goes_on:
            claim = _claim(backend, str(run.worker))
            change, following = lease.succeed_and_claim(backend.database, run, result, claim, notes)
        case Success(result, notes):
            change = lease.succeed(backend.database, run, result, notes)
        case Stopped():
            change = lease.stop(backend.database, run)
        case Interrupted():
            change = lease.give_back(backend.database, run)
        case Lost():
            changes = lease.lose(backend.database, str(run.worker))
            revive(backend, changes)
            return Recorded(changes)
        case Failure():
            change = _fail(backend, run, outcome)
    return Recorded([change] if change else [], following)


def _fail(backend: Backend, run: Run, failure: Failure) -> Change | None:
    task = backend.tasks.get(run.task)
    if task is None or failure.final or run.failures >= task.retries:
        return lease.fail(backend.database, run, failure)
    return lease.postpone(backend.database, run, failure, backoff(task, run.failures))


def warm_up(backend: Backend) -> None:
    """Compile the SQL statements that a run needs by executing them for a run that cannot exist."""
    heartbeats.warm_up(backend.database)
    nobody = Run(id=0, lease_token="")
    nothing = Claim("", (), backend.durations)
    lease.claim_next(backend.database, nothing)
    if limited := limits.limits_of(backend.tasks):
        with backend.database.read() as session:
            limits.taken(session.connection(), limited)
    lease.report(backend.database, nobody, None, "")
    lease.succeed(backend.database, nobody, None)
    lease.succeed_and_claim(backend.database, nobody, None, nothing)
    lease.fail(backend.database, nobody, Failure("", ""))
