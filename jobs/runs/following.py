"""Runs that wait for the success of another of their owner's, and may take its result as a parameter.

Such a run is queued and never due: its `due_at` is NEVER. The sweeper looks for those whose earlier run has ended.
After a success the run takes the result and waits as others do; otherwise it ends as the earlier one has. An earlier
run that was deleted counts as one that has failed. A run can only follow one that was there before it, so none waits
for itself.
"""

import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from jobs.runs import deliveries, file_ownership, turns, usage
from jobs.runs import statements as sql
from jobs.runs.asked import still_to_come
from jobs.runs.backend import Backend
from jobs.runs.file_ownership import NotKept
from jobs.runs.lease import Change
from jobs.runs.run import Run, State, owned
from jobs.runs.selection import is_postgres
from jobs.storage.database import utcnow

EARLIER_RUN = "EarlierRun"
FAILED = "Run {id}, which this run was to follow, failed."
CANCELLED = "Run {id}, which this run was to follow, was cancelled."
DELETED = "Run {id}, which this run was to follow, was deleted."
LOST_FILE = "A file in the result of run {id}, which this run was to follow, is no longer stored."

# Written out, because the databases use an index of some rows only for a condition that they can read, and SQLite would
# prefer another one.
READY = """
SELECT runs.id FROM runs {hint} LEFT JOIN runs AS earlier ON earlier.id = runs.awaited_id
WHERE runs.state = 'queued' AND runs.awaited_id IS NOT NULL
  AND (earlier.id IS NULL OR earlier.state IN ('succeeded', 'failed', 'cancelled'))
LIMIT 100
"""
READY_IN_SQLITE, READY_IN_POSTGRES = (text(READY.format(hint=hint)) for hint in ("INDEXED BY ix_runs_awaited", ""))


def let_follow(backend: Backend, seconds: float) -> list[Change]:
    """Release or end the runs whose earlier run has ended, for up to so many seconds; a chain ends link by link."""
    deadline, changes = time.monotonic() + seconds, list[Change]()
    while time.monotonic() < deadline:
        with backend.database.read() as session:
            ready = session.scalars(READY_IN_POSTGRES if is_postgres(session) else READY_IN_SQLITE).all()
        for run_id in ready:
            with backend.database.write() as session:
                changes += _follow(backend, session, run_id)
        if not ready:
            break
    return changes


def _follow(backend: Backend, session: Session, run_id: int) -> Sequence[Change]:
    run = session.get(Run, run_id, with_for_update={"key_share": True})
    if run is None or run.state is not State.QUEUED or run.awaited_id is None:
        return []
    earlier = owned(session, run.owner_id, run.awaited_id)
    if earlier is None:
        return _end(session, run, sql.FAIL_QUEUED, DELETED)
    match earlier.state:
        case State.SUCCEEDED:
            return _go_on(backend, session, run, earlier.result)
        case State.FAILED:
            return _end(session, run, sql.FAIL_QUEUED, FAILED)
        case State.CANCELLED:
            return _end(session, run, sql.CANCEL_QUEUED, CANCELLED)
        case _:  # it has been run again meanwhile
            return []


def _go_on(backend: Backend, session: Session, run: Run, result: Any) -> Sequence[Change]:
    shown, encrypted, due = run.parameters, run.encrypted_parameters, still_to_come(run.scheduled_for)
    size = run.input_bytes
    if run.after_into is not None:
        shown = {**shown, run.after_into: result}
        encrypted = encrypted and _sealed(backend, run, encrypted, result)
        try:
            with_result = Run(id=run.id, owner_id=run.owner_id, parameters=shown)
            file_ownership.attach(session, with_result)
            size = with_result.input_bytes
        except NotKept:
            return _end(session, run, sql.FAIL_QUEUED, LOST_FILE)
        usage.add_parameters(session, run.owner_id, run.parameters, shown)
    given = {"given_id": run.id, "given_due_at": due, "given_shown": shown, "given_encrypted": encrypted}
    given["given_size"] = size
    row = session.connection().execute(sql.GO_ON, {**given, "given_now": utcnow()}).first()
    if row and due is None:
        turns.join(session, [(row.owner_id, row.id)])
    return [Change(*row)] if row else []


def _sealed(backend: Backend, run: Run, encrypted: str, result: Any) -> str:
    """Return the encrypted parameters with the result among them. If no key decrypts them, the worker says so."""
    opened = backend.vault.unseal_parameters(run.owner_id, encrypted)
    if opened is None or run.after_into is None:
        return encrypted
    whole, secrets = opened
    return backend.vault.seal_parameters(run.owner_id, {**whole, run.after_into: result}, secrets)


def _end(session: Session, run: Run, statement: Any, message: str) -> Sequence[Change]:
    error = {"given_error_kind": EARLIER_RUN, "given_error_message": message.format(id=run.awaited_id)}
    given = {"given_id": run.id, "given_now": utcnow(), "given_error_traceback": None, **error}
    row = session.connection().execute(statement, given).first()
    if row is None:
        return []
    run_id, owner_id, version, is_told = row
    if is_told:
        deliveries.note(session.connection(), run_id, version)
    return [Change(run_id, owner_id, version, is_told)]
