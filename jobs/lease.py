"""Every change of a run's state: one conditional UPDATE each.

A worker holds a run by a lease: a token and a time until which it is believed. Each function below changes the row only
while its condition still holds and says whether it did; nothing changed means that the run is somebody else's by now,
and the caller drops what it has. So two workers may start the same run after a crash, but one completion commits.
"""

import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, update

from jobs.db import Database, utcnow
from jobs.outcome import Failure
from jobs.runs import Run, State

LEASE_SECONDS = 60
RENEW_SECONDS = 15


@dataclass(frozen=True)
class Change:
    """What an event tells: this run of this owner is now at this version."""

    run_id: int
    owner_id: int
    version: int


def claim(database: Database, run_id: int, worker: str) -> Run | None:
    """Take a queued run, or None when it is no longer queued."""
    values = {
        "state": State.RUNNING,
        "worker": worker,
        "lease_token": secrets.token_hex(16),
        "lease_expires_at": utcnow() + timedelta(seconds=LEASE_SECONDS),
        "started_at": utcnow(),
        "version": Run.version + 1,
    }
    statement = update(Run).where(Run.id == run_id, Run.state == State.QUEUED).values(values).returning(Run)
    with database.write() as session:
        return session.scalar(statement.execution_options(synchronize_session=False))


def renew(database: Database, run: Run) -> None:
    """Prolong a lease; a page shows nothing of it, so the version stays."""
    until = utcnow() + timedelta(seconds=LEASE_SECONDS)
    with database.write() as session:
        session.execute(update(Run).where(_held(run)).values(lease_expires_at=until))


def report(database: Database, run: Run, fraction: float | None, note: str) -> Change | None:
    """Record how far a run has come."""
    return _change(database, _held(run), {"progress": fraction, "progress_note": note})


def succeed(database: Database, run: Run, result: Any) -> Change | None:
    """Record a result, the one completion of a run."""
    return _change(database, _held(run), {"state": State.SUCCEEDED, "result": result, **_ending()})


def fail(database: Database, run: Run, failure: Failure) -> Change | None:
    """Record why a run failed."""
    return _change(database, _held(run), _failed(failure))


def cancel(database: Database, run_id: int, owner_id: int) -> Change | None:
    """End a run that has not started."""
    waits = (Run.id == run_id) & (Run.owner_id == owner_id) & (Run.state == State.QUEUED)
    return _change(database, waits, {"state": State.CANCELLED, **_ending()})


def requeue(database: Database, run_id: int, owner_id: int) -> Change | None:
    """Queue a run that failed or was cancelled once more, as its next attempt."""
    over = Run.state.in_([State.FAILED, State.CANCELLED])
    mine = (Run.id == run_id) & (Run.owner_id == owner_id) & over
    return _change(database, mine, {**_queued(), "attempt": Run.attempt + 1, "losses": 0})


def release(database: Database, worker: str) -> list[Change]:
    """Give back what a worker that was ended holds, without spending an attempt."""
    holds = (Run.worker == worker) & (Run.state == State.RUNNING)
    return _changes(database, holds, _queued())


def expire(database: Database, most_losses: int) -> list[Change]:
    """Queue the runs whose lease ran out once more, and fail those that have lost their worker so many times."""
    lost = (Run.state == State.RUNNING) & (Run.lease_expires_at < utcnow())
    losses = {"losses": Run.losses + 1}
    failure = Failure("WorkerLost", f"The worker was lost {most_losses} times while it executed this run.")
    failed = _changes(database, lost & (Run.losses + 1 >= most_losses), {**_failed(failure), **losses})
    return failed + _changes(database, lost, {**_queued(), **losses, "attempt": Run.attempt + 1})


def _held(run: Run) -> ColumnElement[bool]:
    return (Run.id == run.id) & (Run.state == State.RUNNING) & (Run.lease_token == run.lease_token)


def _ending() -> dict[str, Any]:
    return {"ended_at": utcnow(), "lease_token": None, "lease_expires_at": None}


def _failed(failure: Failure) -> dict[str, Any]:
    return {
        "state": State.FAILED,
        "error_kind": failure.kind[:100],
        "error_message": failure.message,
        "error_traceback": failure.traceback,
        **_ending(),
    }


def _queued() -> dict[str, Any]:
    cleared = (
        "started_at",
        "ended_at",
        "progress",
        "error_kind",
        "error_message",
        "error_traceback",
        "worker",
    )
    nothing: dict[str, Any] = dict.fromkeys((*cleared, "lease_token", "lease_expires_at"))
    return {**nothing, "state": State.QUEUED, "progress_note": "", "queued_at": utcnow()}


def _change(database: Database, condition: ColumnElement[bool], values: dict[str, Any]) -> Change | None:
    changes = _changes(database, condition, values)
    return changes[0] if changes else None


def _changes(database: Database, condition: ColumnElement[bool], values: dict[str, Any]) -> list[Change]:
    returned = (Run.id, Run.owner_id, Run.version)
    statement = update(Run).where(condition).values(version=Run.version + 1, **values).returning(*returned)
    with database.write() as session:
        rows = session.execute(statement.execution_options(synchronize_session=False)).all()
    return [Change(*row) for row in rows]
