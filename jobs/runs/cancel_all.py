"""Cancel everything of one owner's, some hundreds of runs at a time, so that others need not wait."""

from sqlalchemy import bindparam, select

from jobs.runs import audit, deliveries, events, people
from jobs.runs import statements as sql
from jobs.runs.backend import Backend
from jobs.runs.lease import Change
from jobs.runs.run import Run, State
from jobs.runs.submission import cancel
from jobs.storage.database import utcnow

RUNS_AT_ONCE = 500
MOST_TIMES = 40
"""Pieces of one call: 20,000 runs. What is left then is cancelled by the next call."""

CANCEL_SOME = sql.cancelling(sql.R.id.in_(bindparam("given_ids", expanding=True)))


def cancel_all(backend: Backend, owner_id: int) -> int:
    """Cancel the runs of an owner that wait, ask those that run to stop, and return how many there were."""
    mine = select(Run.id).where(Run.owner_id == owner_id)
    with backend.database.read() as session:
        running = session.scalars(mine.where(Run.state == State.RUNNING).order_by(Run.id)).all()
    count = len(running)
    for piece in range(MOST_TIMES):
        cancelled = _cancel_some(backend, owner_id, len(running) if piece == 0 else 0)
        count += len(cancelled)
        events.publish(backend.redis, *cancelled)
        if len(cancelled) < RUNS_AT_ONCE:
            break
    for run_id in running:
        cancel(backend, owner_id, run_id)
    return count


def _cancel_some(backend: Backend, owner_id: int, running: int) -> list[Change]:
    oldest = select(Run.id).where(Run.owner_id == owner_id, Run.state == State.QUEUED).order_by(Run.id)
    with backend.database.write() as session:
        ids = session.scalars(oldest.limit(RUNS_AT_ONCE)).all()
        rows = session.connection().execute(CANCEL_SOME, {"given_ids": ids, "given_now": utcnow()}).all()
        for run_id, _owner, version, is_told in rows:
            if is_told:
                deliveries.note(session.connection(), run_id, version)
        if rows or running:
            counts = {"waiting": len(rows), "running": running}
            audit.note(session, "runs cancelled", people.email_of(session, owner_id), after=counts)
    return [Change(*row) for row in rows]
