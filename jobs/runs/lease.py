"""Change a run's state, each time with one conditional UPDATE.

A worker holds a run by a lease: a token and an expiry time. Each function below changes the row only while its
condition holds, and returns whether it did. If nothing changed, the run is no longer the caller's, and the caller must
discard its work. After a crash two workers may execute the same run, but only one completion commits.
"""

import secrets
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from jobs.runs import deliveries, limits, run_mails, run_text, turns, usage
from jobs.runs import statements as sql
from jobs.runs.durations import Durations
from jobs.runs.limits import Crowded, Limit
from jobs.runs.people import Role
from jobs.runs.run import Run
from jobs.runs.statements import MOST_LOSSES
from jobs.storage.database import Database, utcnow
from jobs.values.outcome import Failure

LEASE_SECONDS = 60
RENEWALS_PER_LEASE = 4
LONGEST_BACKOFF_SECONDS = 3600.0
CLOCKS_DIFFER_SECONDS = 60.0
UNKNOWN_SECONDS = 600.0
NO_CAPS: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Change:
    """The content of an event: a run, its owner, and its new version; and whether anybody is to be told of it."""

    run_id: int
    owner_id: int
    version: int
    has_deliveries: bool = field(default=False, compare=False)


@dataclass(frozen=True)
class Claim:
    """A worker's request for its next run: its tasks, their limits and codes (JSON), and the seconds of the lease."""

    worker: str
    tasks: Collection[str]
    durations: Durations
    seconds: float = LEASE_SECONDS
    limits: Mapping[str, Limit] = field(default_factory=dict)
    codes: str = "{}"
    running_by_role: Mapping[Role, int | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Hold:
    """The run's state as seen by a worker that renews its lease."""

    stop_requested: bool
    version: int = field(default=0, compare=False)


LOST = Failure("WorkerLost", f"The worker was lost {MOST_LOSSES} times while it executed this run.")


def claim(database: Database, run_id: int, worker: str, seconds: float = LEASE_SECONDS) -> Run | None:
    """Claim this run if it is queued and due. Return the columns that its holder needs, or None."""
    with database.change() as connection:
        return _claim(connection, sql.CLAIM, worker, seconds, id=run_id)


def claim_next(database: Database, claim: Claim) -> Run | None:
    """Claim the run whose turn it is (jobs.runs.turns), or return None if none waits for this worker."""
    while True:
        with suppress(Crowded), database.change() as connection:
            run = _claim_in_turn(connection, claim)
            turns.book(connection, claim.durations, started=run)
            break
    return run


def claim_unknown(database: Database, asked: Claim) -> Run | None:
    """Claim a run of a task that the worker does not know, if it has waited for UNKNOWN_SECONDS, to let it fail.

    Until then it may be meant for workers of a newer deployment. The time is measured from when a worker could take the
    run, not from its creation: an old run may just have been queued again.
    """
    with database.read() as session:
        run_id = turns.unknown(session.connection(), asked.tasks, _from(utcnow(), -UNKNOWN_SECONDS))
    return claim(database, run_id, asked.worker, asked.seconds) if run_id else None


def _claim_in_turn(connection: Connection, claim: Claim) -> Run | None:
    given = limits.taken(connection, claim.limits).given(claim.tasks) | {"codes": claim.codes}
    statement = sql.CLAIM_IN_TURN[connection.dialect.name, "walked" in given]
    caps = limits.given_caps(claim.running_by_role)
    run = _claim(connection, statement, claim.worker, claim.seconds, caps, **given)
    if run:
        limits.keep(connection, claim.limits, run)
    return run


def _claim(
    connection: Connection,
    statement: Any,
    worker: str,
    seconds: float,
    caps: Mapping[str, Any] = NO_CAPS,
    **values: Any,
) -> Run | None:
    now = utcnow()
    times = {"now": now, "until": _from(now, seconds), "future": _from(now, CLOCKS_DIFFER_SECONDS)}
    given = _given(worker=worker, token=secrets.token_hex(16), **times, **values)
    row = connection.execute(statement, {**given, **caps}).mappings().first()
    return Run(**row) if row else None


def renew(database: Database, run: Run, seconds: float = LEASE_SECONDS) -> Hold | None:
    """Renew a lease, or return None if it is lost."""
    with database.change() as connection:
        return renew_in(connection, run, seconds)


def renew_in(transaction: Connection | Session, run: Run, seconds: float) -> Hold | None:
    """Renew a lease in a transaction that must commit only while the lease is held. Return None if it is lost."""
    row = transaction.execute(sql.RENEW, _given(**_lease(run), until=_from(utcnow(), seconds))).first()
    return Hold(row.stop_requested_at is not None, row.version) if row else None


def report(database: Database, run: Run, fraction: float | None, note: str) -> Change | None:
    """Record a run's progress."""
    return _change(database, sql.REPORT, **_lease(run), progress=fraction, note=note)


def succeed(database: Database, run: Run, result: Any, notes: Sequence[str] = ()) -> Change | None:
    """Record a result, the one completion of a run, with the notes about what was changed in it."""
    with database.change() as connection:
        ended = _succeed(connection, run, result, notes)
        if ended:
            turns.settle(connection, run)
    return Change(*ended) if ended else None


def succeed_and_claim(
    database: Database, run: Run, result: Any, claim: Claim, notes: Sequence[str] = ()
) -> tuple[Change | None, Run | None]:
    """Record a result and claim the next run: two changes, one durable commit."""
    while True:
        with suppress(Crowded), database.change() as connection:
            ended = _succeed(connection, run, result, notes)
            following = _claim_in_turn(connection, claim)
            turns.book(connection, claim.durations, ended=run if ended else None, started=following)
            break
    return Change(*ended) if ended else None, following


def _succeed(connection: Connection, run: Run, result: Any, notes: Sequence[str]) -> Any:
    values = _given(**_lease(run), result=result, notes=list(notes) or None, now=utcnow())
    if ended := connection.execute(sql.SUCCEED, values).first():
        _tell(connection, [ended])
        usage.add_result(connection, run.owner_id, result)
    return ended


def fail(database: Database, run: Run, failure: Failure) -> Change | None:
    """Record a run's failure, or cancel the run if its owner asked to stop it."""
    return _leave(database, run, sql.FAIL, **_error(failure)) or stop(database, run)


def postpone(database: Database, run: Run, failure: Failure, seconds: float) -> Change | None:
    """Queue a failed run for another attempt after `seconds`, or cancel it if its owner asked to stop it."""
    due_at = _from(utcnow(), seconds)
    return _leave(database, run, sql.POSTPONE, **_error(failure), due_at=due_at) or stop(database, run)


def stop(database: Database, run: Run) -> Change | None:
    """End a run that its owner asked to stop."""
    return _leave(database, run, sql.STOP)


def give_back(database: Database, run: Run) -> Change | None:
    """Requeue a run without using up an attempt, or cancel it if its owner asked to stop it."""
    return _leave(database, run, sql.GIVE_BACK) or stop(database, run)


def cancel(database: Database, run_id: int, owner_id: int) -> Change | None:
    """End a run that has not started."""
    return _change(database, sql.CANCEL, id=run_id, owner_id=owner_id)


def request_stop(database: Database, run_id: int, owner_id: int) -> Change | None:
    """Ask a running run to stop. Repeating the request has no effect."""
    return _change(database, sql.REQUEST_STOP, id=run_id, owner_id=owner_id)


def requeue(database: Database, run_id: int, owner_id: int) -> Change | None:
    """Queue a failed or cancelled run for its next attempt."""
    with database.change() as connection:
        return requeue_in(connection, run_id, owner_id)


def requeue_in(transaction: Connection | Session, run_id: int, owner_id: int) -> Change | None:
    """Do the same in a transaction that must commit only if the owner may run the task."""
    row = transaction.execute(sql.REQUEUE, _given(id=run_id, owner_id=owner_id, now=utcnow())).first()
    if row:
        run_text.make_again(transaction, run_id)
        turns.join(transaction, [(row.owner_id, row.id)])
    return Change(*row) if row else None


def note_push(database: Database, run_id: int, attempt: int, failed: bool) -> Change | None:
    """Record whether the latest push of a queued run's job failed."""
    return _change(database, sql.NOTE_FAILED_PUSH if failed else sql.NOTE_PUSH, id=run_id, attempt=attempt)


def release(database: Database, worker: str) -> list[Change]:
    """Requeue the runs of a worker that is shutting down, without using up an attempt."""
    return [change for one in sql.RELEASE for change in _changes(database, one, worker=worker)]


def lose(database: Database, worker: str) -> list[Change]:
    """Requeue the runs of a lost worker; a run that has lost MOST_LOSSES workers fails."""
    return [change for one in sql.LOSE for change in _changes(database, one, worker=worker, **_error(LOST))]


def expire(database: Database, leases: Mapping[int, tuple[str, datetime]]) -> list[Change]:
    """Requeue the runs, by id, whose lease still has the given token and expiry time."""
    return [
        change
        for run_id, (token, until) in leases.items()
        for one in sql.EXPIRE
        for change in _changes(database, one, id=run_id, token=token, until=until, **_error(LOST))
    ]


def become_due(database: Database, run_ids: Collection[int]) -> list[Change]:
    """Queue postponed runs that have become due."""
    return _changes(database, sql.BECOME_DUE, ids=list(run_ids))


def leases(database: Database) -> dict[int, tuple[str, datetime]]:
    """Return the token and expiry time of every lease, by run id."""
    with database.read() as session:
        rows = session.execute(sql.LEASES).all()
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


def _leave(database: Database, run: Run, statement: Any, **values: Any) -> Change | None:
    """Change a run that its worker has held until now, and correct what was charged for it."""
    return next(iter(_changes(database, statement, held=run, **_lease(run), **values)), None)


def _change(database: Database, statement: Any, **values: Any) -> Change | None:
    return next(iter(_changes(database, statement, **values)), None)


def _changes(database: Database, statement: Any, held: Run | None = None, **values: Any) -> list[Change]:
    with database.change() as connection:
        rows = connection.execute(statement, _given(**values, now=utcnow())).all()
        _tell(connection, rows)
        if statement in sql.QUEUING:
            turns.join(connection, [(row.owner_id, row.id) for row in rows])
        if held and rows:
            turns.settle(connection, held)
    return [Change(*row) for row in rows]


def _tell(connection: Connection, rows: Sequence[Any]) -> None:
    """Note in the same transaction what webhooks, and owners by mail, are to be told of runs that have ended."""
    for run_id, _owner_id, version, *is_told in rows:
        if any(is_told):
            deliveries.note(connection, run_id, version)
            run_mails.note(connection, run_id)
