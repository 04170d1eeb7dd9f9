"""Every change of a run's state: one conditional UPDATE each.

A worker holds a run by a lease: a token and a time until which it is believed. Each function below changes the row only
while its condition still holds and says whether it did; nothing changed means that the run is somebody else's by now,
and the caller drops what it has. So two workers may start the same run after a crash, but one completion commits.

The statements are made once, here: making one anew costs several times as much as executing it.
"""

import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import BindParameter, ColumnElement, Connection, Table, Update, bindparam, or_, select, update
from sqlalchemy.orm import Session

from jobs.runs.run import Run, State
from jobs.storage.database import Database, utcnow
from jobs.values.outcome import Failure

LEASE_SECONDS = 60
RENEWALS_PER_LEASE = 4
MOST_LOSSES = 3
LONGEST_BACKOFF_SECONDS = 3600.0
CLOCKS_DIFFER_SECONDS = 60.0
UNKNOWN_SECONDS = 600.0


@dataclass(frozen=True)
class Change:
    """What an event tells: this run of this owner is now at this version."""

    run_id: int
    owner_id: int
    version: int


@dataclass(frozen=True)
class Claim:
    """Which run a worker wants, for how many seconds, and the tasks that it knows: all of them if that is None."""

    run_id: int
    worker: str
    seconds: float = LEASE_SECONDS
    tasks: Collection[str] | None = None


@dataclass(frozen=True)
class Hold:
    """What a worker learns when it renews a lease that it still has."""

    stop_requested: bool
    version: int = field(default=0, compare=False)


RUNS = cast(Table, Run.__table__)
R = RUNS.c


def given(name: str) -> BindParameter[Any]:
    """A value that comes with the execution; SQLAlchemy keeps the columns' own names for itself."""
    return bindparam(f"given_{name}")


def due(now: Any, future: Any) -> ColumnElement[bool]:
    """Whether a run waits for no time; one that was queued in the future was queued before the clock was put back."""
    return or_(R.due_at.is_(None), R.due_at <= now, R.queued_at > future)


def _update(condition: ColumnElement[bool], values: Mapping[str, Any]) -> Update:
    return update(RUNS).where(condition).values(version=R.version + 1, **values)


def _changing(condition: ColumnElement[bool], values: Mapping[str, Any]) -> Any:
    return _update(condition, values).returning(R.id, R.owner_id, R.version)


MINE = (R.id == given("id")) & (R.owner_id == given("owner_id"))
HELD = (R.id == given("id")) & (R.state == State.RUNNING) & (R.lease_token == given("token"))
HELD_BY_WORKER = (R.worker == given("worker")) & (R.state == State.RUNNING)
UNRENEWED = HELD & (R.lease_expires_at == given("until"))
TO_STOP = R.stop_requested_at.is_not(None)
OVER = R.state.in_([State.FAILED, State.CANCELLED])

NO_LEASE = dict.fromkeys(("lease_token", "lease_expires_at"))
NO_ERROR = dict.fromkeys(("error_kind", "error_message", "error_traceback"))
NO_WAIT = dict.fromkeys(("due_at", "push_failed_at"))
ERROR = {name: given(name) for name in NO_ERROR}
ENDED = {**NO_LEASE, **NO_WAIT, "ended_at": given("now")}
QUEUED = {
    **NO_LEASE,
    **NO_ERROR,
    **NO_WAIT,
    **dict.fromkeys(("started_at", "stop_requested_at", "ended_at", "progress", "worker")),
    "state": State.QUEUED,
    "progress_note": "",
    "queued_at": given("now"),
}
CANCELLED = {**ENDED, "state": State.CANCELLED}
FAILED = {**ENDED, **ERROR, "state": State.FAILED}
SPENT = {"attempt": R.attempt + 1}
FAILED_ONCE_MORE = {"failures": R.failures + 1}
LOST_ONCE_MORE = {"losses": R.losses + 1}

KNOWN = R.task.in_(bindparam("given_tasks", expanding=True)) | (R.created_at < given("long_ago"))
CLAIM = _update(
    (R.id == given("id")) & (R.state == State.QUEUED) & due(given("now"), given("future")) & KNOWN,
    {
        **NO_ERROR,
        **NO_WAIT,
        "state": State.RUNNING,
        "worker": given("worker"),
        "lease_token": given("token"),
        "lease_expires_at": given("until"),
        "started_at": given("now"),
    },
).returning(R.id, R.owner_id, R.task, R.parameters, R.state, R.version, R.attempt, R.failures, R.worker, R.lease_token)
RENEW = _update(HELD, {"lease_expires_at": given("until")}).returning(R.stop_requested_at, R.version)
REPORT = _changing(HELD, {"progress": given("progress"), "progress_note": given("note")})
SUCCEED = _changing(HELD, {**ENDED, "state": State.SUCCEEDED, "result": given("result")})
FAIL = _changing(HELD & ~TO_STOP, {**FAILED, **FAILED_ONCE_MORE})
POSTPONE = _changing(HELD & ~TO_STOP, {**QUEUED, **ERROR, **SPENT, **FAILED_ONCE_MORE, "due_at": given("due_at")})
STOP = _changing(HELD, CANCELLED)
GIVE_BACK = _changing(HELD & ~TO_STOP, QUEUED)
CANCEL = _changing(MINE & (R.state == State.QUEUED), CANCELLED)
REQUEST_STOP = _changing(MINE & (R.state == State.RUNNING) & ~TO_STOP, {"stop_requested_at": given("now")})
REQUEUE = _changing(MINE & OVER, {**QUEUED, **SPENT, "failures": 0, "losses": 0})
NOTE_FAILED_PUSH, NOTE_PUSH = (
    _changing(
        (R.id == given("id")) & (R.attempt == given("attempt")) & (R.state == State.QUEUED) & noted,
        {"push_failed_at": value},
    )
    for noted, value in ((R.push_failed_at.is_(None), given("now")), (R.push_failed_at.is_not(None), None))
)
RELEASE = (_changing(HELD_BY_WORKER & TO_STOP, CANCELLED), _changing(HELD_BY_WORKER, QUEUED))
LOSE, EXPIRE = (
    (
        _changing(lost & TO_STOP, CANCELLED),
        _changing(lost & (R.losses + 1 >= MOST_LOSSES), {**FAILED, **LOST_ONCE_MORE}),
        _changing(lost, {**QUEUED, **SPENT, **LOST_ONCE_MORE}),
    )
    for lost in (HELD_BY_WORKER, UNRENEWED)
)
LEASES = select(R.id, R.lease_token, R.lease_expires_at).where(R.state == State.RUNNING)

LOST = Failure("WorkerLost", f"The worker was lost {MOST_LOSSES} times while it executed this run.")


def claim(
    database: Database, run_id: int, worker: str, seconds: float = LEASE_SECONDS, tasks: Collection[str] | None = None
) -> Run | None:
    """Take a queued run that is due, as far as its holder needs it, or None when there is no such run any more.

    `tasks` are those that the worker knows. A run of another one may be meant for workers of a newer deployment beside
    this one; only when none of them has taken it for UNKNOWN_SECONDS is it taken after all, and fails with words.
    """
    with database.change() as connection:
        row = _claim(connection, Claim(run_id, worker, seconds, tasks))
    return Run(**row) if row else None


def _claim(connection: Connection, claim: Claim) -> Any:
    now = utcnow()
    values = {"id": claim.run_id, "worker": claim.worker, "token": secrets.token_hex(16)}
    known = UNKNOWN_SECONDS if claim.tasks is None else -UNKNOWN_SECONDS
    times = {"now": now, "until": _from(now, claim.seconds), "long_ago": _from(now, known)}
    future = _from(now, CLOCKS_DIFFER_SECONDS)
    given = _given(**values, **times, future=future, tasks=list(claim.tasks or ()))
    return connection.execute(CLAIM, given).mappings().first()


def renew(database: Database, run: Run, seconds: float = LEASE_SECONDS) -> Hold | None:
    """Prolong a lease, or None when it is lost."""
    with database.change() as connection:
        return renew_in(connection, run, seconds)


def renew_in(transaction: Connection | Session, run: Run, seconds: float) -> Hold | None:
    """Prolong a lease in a transaction that writes something for its holder only."""
    row = transaction.execute(RENEW, _given(**_lease(run), until=_from(utcnow(), seconds))).first()
    return Hold(row.stop_requested_at is not None, row.version) if row else None


def report(database: Database, run: Run, fraction: float | None, note: str) -> Change | None:
    """Record how far a run has come."""
    return _change(database, REPORT, **_lease(run), progress=fraction, note=note)


def succeed(database: Database, run: Run, result: Any) -> Change | None:
    """Record a result, the one completion of a run."""
    return _change(database, SUCCEED, **_lease(run), result=result)


def succeed_and_claim(database: Database, run: Run, result: Any, claim: Claim) -> tuple[Change | None, Run | None]:
    """Record a result and take the next run: two changes, one durable commit."""
    with database.change() as connection:
        ended = connection.execute(SUCCEED, _given(**_lease(run), result=result, now=utcnow())).first()
        claimed = _claim(connection, claim)
    # Only now: whatever is done before the commit, the next writer waits for.
    return Change(*ended) if ended else None, Run(**claimed) if claimed else None


def fail(database: Database, run: Run, failure: Failure) -> Change | None:
    """Record why a run failed; one that its owner asked to stop is cancelled instead."""
    return _change(database, FAIL, **_lease(run), **_error(failure)) or stop(database, run)


def postpone(database: Database, run: Run, failure: Failure, seconds: float) -> Change | None:
    """Queue a run that failed for another attempt, due after so many seconds; one that is to stop is cancelled."""
    due_at = _from(utcnow(), seconds)
    return _change(database, POSTPONE, **_lease(run), **_error(failure), due_at=due_at) or stop(database, run)


def stop(database: Database, run: Run) -> Change | None:
    """End a run that its owner asked to stop."""
    return _change(database, STOP, **_lease(run))


def give_back(database: Database, run: Run) -> Change | None:
    """Queue a run that its worker cannot go on with, without spending an attempt; one that is to stop is cancelled."""
    return _change(database, GIVE_BACK, **_lease(run)) or stop(database, run)


def cancel(database: Database, run_id: int, owner_id: int) -> Change | None:
    """End a run that has not started."""
    return _change(database, CANCEL, id=run_id, owner_id=owner_id)


def request_stop(database: Database, run_id: int, owner_id: int) -> Change | None:
    """Ask for the end of a run that has started; once is enough, and a second request changes nothing."""
    return _change(database, REQUEST_STOP, id=run_id, owner_id=owner_id)


def requeue(database: Database, run_id: int, owner_id: int) -> Change | None:
    """Queue a run that failed or was cancelled once more, as its next attempt."""
    return _change(database, REQUEUE, id=run_id, owner_id=owner_id)


def note_push(database: Database, run_id: int, attempt: int, failed: bool) -> Change | None:
    """Note that Redis did not take a queued run's wake-up, or has taken it at last."""
    return _change(database, NOTE_FAILED_PUSH if failed else NOTE_PUSH, id=run_id, attempt=attempt)


def release(database: Database, worker: str) -> list[Change]:
    """Give back what a worker that is leaving holds, without spending an attempt."""
    return [change for one in RELEASE for change in _changes(database, one, worker=worker)]


def lose(database: Database, worker: str) -> list[Change]:
    """Take back what a worker that is gone held; a run that has lost MOST_LOSSES of them fails."""
    return [change for one in LOSE for change in _changes(database, one, worker=worker, **_error(LOST))]


def expire(database: Database, leases: Mapping[int, tuple[str, datetime]]) -> list[Change]:
    """Take back the runs, by id, whose lease is still as it was seen: token and time."""
    seen = [_given(id=run_id, token=token, until=until) for run_id, (token, until) in leases.items()]
    return [change for lease in seen for one in EXPIRE for change in _changes(database, one, lease, **_error(LOST))]


def leases(database: Database) -> dict[int, tuple[str, datetime]]:
    """The lease of every run that is held, by the run's id."""
    with database.read() as session:
        rows = session.execute(LEASES).all()
    return {row.id: (row.lease_token, row.lease_expires_at) for row in rows if row.lease_token}


def _given(**values: Any) -> dict[str, Any]:
    return {f"given_{name}": value for name, value in values.items()}


def _lease(run: Run) -> dict[str, Any]:
    return {"id": run.id, "token": run.lease_token}


def _error(failure: Failure) -> dict[str, Any]:
    return {
        "error_kind": failure.kind[:100],
        "error_message": failure.message,
        "error_traceback": failure.traceback,
    }


def _from(now: datetime, seconds: float) -> datetime:
    return now + timedelta(seconds=seconds)


def _change(database: Database, statement: Any, **values: Any) -> Change | None:
    changes = _changes(database, statement, **values)
    return changes[0] if changes else None


def _changes(database: Database, statement: Any, lease: Mapping[str, Any] | None = None, **values: Any) -> list[Change]:
    parameters = {**(lease or {}), **_given(**values, now=utcnow())}
    with database.change() as connection:
        return [Change(*row) for row in connection.execute(statement, parameters)]
