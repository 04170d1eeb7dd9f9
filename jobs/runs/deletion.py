"""Delete runs and people. What belongs to a row goes with it, and its files once nothing else refers to them."""

from collections.abc import Collection

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from jobs.runs import audit, events, usage
from jobs.runs.backend import Backend
from jobs.runs.lease import Change
from jobs.runs.people import Person
from jobs.runs.run import ENDED, Run, State, owned
from jobs.runs.submission import Conflict, cancel
from jobs.runs.usage import BYTES

RUNS_AT_ONCE = 500


def delete_run(backend: Backend, owner_id: int, run_id: int) -> None:
    """Delete a run that has ended, with its output, result and references to files. Repeating it has no effect.

    Raises Conflict if the run has not ended.
    """
    ended = (Run.id == run_id) & (Run.owner_id == owner_id) & Run.state.in_(ENDED)
    gone = delete(Run).where(ended).returning(Run.version, BYTES)
    with backend.database.write() as session:
        deleted = session.execute(gone).first()
        if deleted is None and owned(session, owner_id, run_id):
            raise Conflict("This run has not ended yet. Stop it before you delete it.")
        if deleted:
            usage.free(session, owner_id, deleted[1])
            audit.note(session, "run deleted", f"run {run_id}")
    if deleted:
        events.publish(backend.redis, Change(run_id, owner_id, deleted[0] + 1))


def delete_ended(session: Session, run_ids: Collection[int]) -> list[Change]:
    """Delete those of some runs that have ended, in a transaction of the caller's, and return them with a new version.

    On Postgres the caller has locked them, so that nobody changes them meanwhile.
    """
    ended = Run.id.in_(run_ids) & Run.state.in_(ENDED)
    rows = session.execute(delete(Run).where(ended).returning(Run.id, Run.owner_id, Run.version, BYTES)).all()
    freed: dict[int, int] = {}
    for _run_id, owner_id, _version, size in rows:
        freed[owner_id] = freed.get(owner_id, 0) + size
    for owner_id in sorted(freed):
        usage.free(session, owner_id, freed[owner_id])
    return [Change(run_id, owner_id, version + 1) for run_id, owner_id, version, _size in rows]


def delete_person(backend: Backend, owner_id: int) -> None:
    """Delete a person with everything that is theirs. Running runs are stopped.

    Runs are deleted some hundreds at a time, so that others need not wait. If it is interrupted, it can be repeated.
    """
    with backend.database.read() as session:
        running = session.scalars(select(Run.id).where(Run.owner_id == owner_id, Run.state == State.RUNNING)).all()
    for run_id in running:
        cancel(backend, owner_id, run_id)
    oldest = select(Run.id).where(Run.owner_id == owner_id).order_by(Run.id).limit(RUNS_AT_ONCE)
    while True:
        with backend.database.write() as session:
            runs = session.scalars(oldest).all()
            session.execute(delete(Run).where(Run.id.in_(runs)))
        if len(runs) < RUNS_AT_ONCE:
            break
    with backend.database.write() as session:
        email = session.scalar(delete(Person).where(Person.id == owner_id).returning(Person.email))
        if email is not None:
            audit.note(session, "account deleted", email)
