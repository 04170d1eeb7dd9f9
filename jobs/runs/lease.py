"""Change a run's state, each time with one conditional UPDATE.

A worker holds a run by a lease: a token and an expiry time. Each function below changes the row only while its
condition holds, and returns whether it did. If nothing changed, the run is no longer the caller's, and the caller must
discard its work. After a crash two workers may execute the same run, but only one completion commits.

The statements are built once, at import: building one costs several times as much as executing it.
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
    """The content of an event: a run, its owner, and its new version."""

    run_id: int
    owner_id: int
    version: int


@dataclass(frozen=True)
class Claim:
    """A worker's request for a run: the lease's length in seconds, and the tasks that it knows (None means all)."""

    run_id: int
    worker: str
    seconds: float = LEASE_SECONDS
    tasks: Collection[str] | None = None


@dataclass(frozen=True)
class Hold:
    """The run's state as seen by a worker that renews its lease."""

    stop_requested: bool
    version: int = field(default=0, compare=False)


RUNS = cast(Table, Run.__table__)
R = RUNS.c


def given(name: str) -> BindParameter[Any]:
    """Return a bind parameter, prefixed because SQLAlchemy reserves the columns' own names."""
    return bindparam(f"given_{name}")


def due(now: Any, future: Any) -> ColumnElement[bool]:
    """Return the condition that a run is due. A queue time in the future means that the clock was set back since."""
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

ATTEMPT = (R.attempt, R.failures, R.worker, R.lease_token)
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
).returning(R.id, R.owner_id, R.task, R.parameters, R.encrypted_parameters, R.state, R.version, *ATTEMPT)
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
    """Claim a queued run that is due and return the columns that its holder needs, or None if it is not available.

    `tasks` are those that the worker knows. A run of an unknown task may be meant for workers of a newer deployment, so
    it is claimed only if no worker has claimed it for UNKNOWN_SECONDS, and then fails with an explanation.
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
    """Renew a lease, or return None if it is lost."""
    with database.change() as connection:
        return renew_in(connection, run, seconds)


def renew_in(transaction: Connection | Session, run: Run, seconds: float) -> Hold | None:
    """Renew a lease in a transaction that must commit only while the lease is held. Return None if it is lost."""
    row = transaction.execute(RENEW, _given(**_lease(run), until=_from(utcnow(), seconds))).first()
    return Hold(row.stop_requested_at is not None, row.version) if row else None


def report(database: Database, run: Run, fraction: float | None, note: str) -> Change | None:
    """Record a run's progress."""
    return _change(database, REPORT, **_lease(run), progress=fraction, note=note)


def succeed(database: Database, run: Run, result: Any) -> Change | None:
    """Record a result, the one completion of a run."""
    return _change(database, SUCCEED, **_lease(run), result=result)


def succeed_and_claim(database: Database, run: Run, result: Any, claim: Claim) -> tuple[Change | None, Run | None]:
    """Record a result and take the next run: two changes, one durable commit."""
    with database.change() as connection:
        ended = connection.execute(SUCCEED, _given(**_lease(run), result=result, now=utcnow())).first()
        claimed = _claim(connection, claim)
    # Build objects after the commit: the next writer waits until the transaction ends.
    return Change(*ended) if ended else None, Run(**claimed) if claimed else None


def fail(database: Database, run: Run, failure: Failure) -> Change | None:
    """Record a run's failure, or cancel the run if its owner asked to stop it."""
    return _change(database, FAIL, **_lease(run), **_error(failure)) or stop(database, run)


def postpone(database: Database, run: Run, failure: Failure, seconds: float) -> Change | None:
    """Queue a failed run for another attempt after `seconds`, or cancel it if its owner asked to stop it."""
    due_at = _from(utcnow(), seconds)
    return _change(database, POSTPONE, **_lease(run), **_error(failure), due_at=due_at) or stop(database, run)


def stop(database: Database, run: Run) -> Change | None:
    """End a run that its owner asked to stop."""
    return _change(database, STOP, **_lease(run))


def give_back(database: Database, run: Run) -> Change | None:
    """Requeue a run without using up an attempt, or cancel it if its owner asked to stop it."""
    return _change(database, GIVE_BACK, **_lease(run)) or stop(database, run)


def cancel(database: Database, run_id: int, owner_id: int) -> Change | None:
    """End a run that has not started."""
    return _change(database, CANCEL, id=run_id, owner_id=owner_id)


def request_stop(database: Database, run_id: int, owner_id: int) -> Change | None:
    """Ask a running run to stop. Repeating the request has no effect."""
    return _change(database, REQUEST_STOP, id=run_id, owner_id=owner_id)


def requeue(database: Database, run_id: int, owner_id: int) -> Change | None:
    """Queue a failed or cancelled run for its next attempt."""
    return _change(database, REQUEUE, id=run_id, owner_id=owner_id)


def note_push(database: Database, run_id: int, attempt: int, failed: bool) -> Change | None:
    """Record whether the latest push of a queued run's job failed."""
    return _change(database, NOTE_FAILED_PUSH if failed else NOTE_PUSH, id=run_id, attempt=attempt)


def release(database: Database, worker: str) -> list[Change]:
    """Requeue the runs of a worker that is shutting down, without using up an attempt."""
    return [change for one in RELEASE for change in _changes(database, one, worker=worker)]


def lose(database: Database, worker: str) -> list[Change]:
    """Requeue the runs of a lost worker; a run that has lost MOST_LOSSES workers fails."""
    return [change for one in LOSE for change in _changes(database, one, worker=worker, **_error(LOST))]


def expire(database: Database, leases: Mapping[int, tuple[str, datetime]]) -> list[Change]:
    """Requeue the runs, by id, whose lease still has the given token and expiry time."""
    seen = [_given(id=run_id, token=token, until=until) for run_id, (token, until) in leases.items()]
    return [change for lease in seen for one in EXPIRE for change in _changes(database, one, lease, **_error(LOST))]


def leases(database: Database) -> dict[int, tuple[str, datetime]]:
    """Return the token and expiry time of every lease, by run id."""
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
