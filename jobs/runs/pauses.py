"""Pauses: while everything, a task, a user or a worker is paused, no run of theirs starts.

Runs are still queued meanwhile, and those that are running go on. A worker that is paused is called drained.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, cast

from sqlalchemy import ColumnElement, Index, String, Table, and_, delete, exists, not_, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from jobs.runs import audit, people
from jobs.runs.people import owner_key
from jobs.runs.run import Run
from jobs.storage.database import Base, Database, UtcDateTime, utcnow

LONGEST_REASON = 300


class Kind(StrEnum):
    EVERYTHING = "everything"
    TASK = "task"
    USER = "user"
    WORKER = "worker"


class Pause(Base):
    """A pause of everything, or of the task, the user or the worker that `name` names: a user by their id."""

    __tablename__ = "pauses"
    __table_args__ = (Index("ix_pauses_owner", "owner_id"),)

    kind: Mapped[str] = mapped_column(String(10), primary_key=True)
    name: Mapped[str] = mapped_column(String(100), primary_key=True, default="")
    owner_id: Mapped[int | None] = mapped_column(owner_key("pauses"))
    reason: Mapped[str] = mapped_column(String(LONGEST_REASON), default="")
    paused_by: Mapped[str] = mapped_column(String(254))
    paused_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)


PAUSES, RUNS = cast(Table, Pause.__table__), cast(Table, Run.__table__)
P = PAUSES.c


def not_paused(
    owner_id: ColumnElement[int] = RUNS.c.owner_id, task: ColumnElement[str] = RUNS.c.task
) -> ColumnElement[bool]:
    """Return the condition that nothing keeps a run of this owner and task from starting.

    The subqueries depend on no run, so that a database evaluates each of them once in a statement.
    """
    return and_(
        not_(exists().where(P.kind == Kind.EVERYTHING)),
        task.not_in(select(P.name).where(P.kind == Kind.TASK)),
        owner_id.not_in(select(P.owner_id).where(P.kind == Kind.USER)),
    )


def is_at_work(worker: Any) -> ColumnElement[bool]:
    """Return the condition that a worker is not drained."""
    return not_(exists().where(P.kind == Kind.WORKER, P.name == worker))


def pause(database: Database, kind: Kind, name: str, reason: str, by: str) -> None:
    """Pause something until it is resumed. If it is paused, the new pause replaces the earlier one."""
    owner_id = int(name) if kind is Kind.USER else None
    verb = "worker drained" if kind is Kind.WORKER else "paused"
    with database.write() as session:
        if owner_id is not None:
            people.keep(session, owner_id)
        made = Pause(kind=kind, name=name, owner_id=owner_id, reason=reason, paused_by=by, paused_at=utcnow())
        session.merge(made)
        audit.note(session, verb, _said(kind, name), after={"reason": reason} if reason else None)


def resume(database: Database, kind: Kind, name: str) -> bool:
    """End a pause and return whether there was one. The sweeper wakes workers for what waits."""
    with database.write() as session:
        gone = session.execute(
            delete(Pause).where(Pause.kind == kind, Pause.name == name).returning(Pause.reason)
        ).all()
        if gone:
            audit.note(session, "worker resumed" if kind is Kind.WORKER else "resumed", _said(kind, name))
    return bool(gone)


def listed(session: Session) -> Sequence[Pause]:
    """Return all pauses, the newest first."""
    return session.scalars(select(Pause).order_by(Pause.paused_at.desc())).all()


def is_drained(database: Database, worker: str) -> bool:
    with database.read() as session:
        return session.get(Pause, (Kind.WORKER, worker)) is not None


def pauses_of(pauses: Collection[Pause], runs: Collection[Run]) -> Mapping[int, Pause]:
    """Return which pauses keep runs from starting, by the runs' ids: the widest one if there are several."""
    found = {(pause.kind, pause.name): pause for pause in pauses}
    each = {run.id: _widest(found, run) for run in runs}
    return {run_id: pause for run_id, pause in each.items() if pause}


def _widest(found: Mapping[tuple[str, str], Pause], run: Run) -> Pause | None:
    keys = ((Kind.EVERYTHING, ""), (Kind.TASK, run.task), (Kind.USER, str(run.owner_id)))
    return next((found[key] for key in keys if key in found), None)


def _said(kind: Kind, name: str) -> str:
    return "everything" if kind is Kind.EVERYTHING else f"{kind} {name}"
