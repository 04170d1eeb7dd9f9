"""The run model, one submission of a task by a user, and queries for runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import CTE, JSON, CheckConstraint, ColumnElement, Enum, Index, Select, String, Text, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from jobs.runs.people import owner_key
from jobs.storage.database import Base, PlainJson, UtcDateTime, at_once, integers, utcnow


class State(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        return self in ENDED


LARGEST_ID = 2**31 - 1
ENDED = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLED})


class Run(Base):
    """A run, one row for each submission. `version` increases by one with every change.

    A queued run does not start before `due_at`. `push_failed_at` is the time since which Redis has no job for it, and
    `stop_requested_at` the time when its owner asked a running run to stop. `attempt` counts every start that may have
    happened, `failures` those that failed since the owner last queued the run, and `losses` those that lost their
    worker. If there are secrets among the parameters, `parameters` has marks in their places, and the whole document is
    in `encrypted_parameters`, which only the vault reads. `notes` are texts that say what was changed in the result to
    store it, or left out.
    """

    __tablename__ = "runs"
    __table_args__ = (
        CheckConstraint(f"state IN ({', '.join(repr(state.value) for state in State)})", name="known_state"),
        Index("ix_runs_owner", "owner_id", "id"),
        Index("ix_runs_owner_task", "owner_id", "task", "id"),
        Index("ix_runs_state", "state", "queued_at", "id"),
        # In the databases it holds only rows that have a due_at, as its migration says. Said here with the dialects'
        # options, it would make every process import all of Postgres's dialects: 2 MB.
        Index("ix_runs_due", "due_at"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int] = mapped_column(owner_key("runs"))
    task: Mapped[str] = mapped_column(String(100))
    parameters: Mapped[dict[str, Any]] = mapped_column(JSON)
    encrypted_parameters: Mapped[str | None] = mapped_column(Text, deferred=True)
    state: Mapped[State] = mapped_column(
        Enum(State, native_enum=False, length=16, values_callable=lambda states: [s.value for s in states]),
        default=State.QUEUED,
    )
    version: Mapped[int] = mapped_column(default=1)
    attempt: Mapped[int] = mapped_column(default=1)
    failures: Mapped[int] = mapped_column(default=0)
    losses: Mapped[int] = mapped_column(default=0)

    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    queued_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    due_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    push_failed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    stop_requested_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    progress: Mapped[float | None]
    progress_note: Mapped[str] = mapped_column(String(200), default="")

    result: Mapped[Any] = mapped_column(PlainJson, nullable=True)
    notes: Mapped[Any] = mapped_column(PlainJson, nullable=True)
    error_kind: Mapped[str | None] = mapped_column(String(100))
    error_message: Mapped[str | None] = mapped_column(Text)
    error_traceback: Mapped[str | None] = mapped_column(Text)

    worker: Mapped[str | None] = mapped_column(String(100))
    lease_token: Mapped[str | None] = mapped_column(String(32))
    lease_expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    @property
    def stopping(self) -> bool:
        """Return whether the run is running and its owner has asked it to stop."""
        return self.state is State.RUNNING and self.stop_requested_at is not None

    @property
    def seconds(self) -> float | None:
        """The duration of the last attempt in seconds, or None if it has not ended."""
        if self.started_at is None or self.ended_at is None:
            return None
        return max(0.0, (self.ended_at - self.started_at).total_seconds())


@dataclass(frozen=True)
class Selection:
    """A selection of one owner's runs, newest first, filtered by task, state or id, and below the id `before`."""

    owner_id: int
    task: str | None = None
    state: State | None = None
    run_id: int | None = None
    before: int | None = None
    limit: int = 25


def listed(session: Session, selection: Selection) -> Sequence[Run]:
    """Return the runs of a selection, newest first."""
    return session.scalars(_listed(selection)).all()


def versions(session: Session, selections: Sequence[Selection]) -> list[list[tuple[int, int]]]:
    """Return each selection's run ids and versions, newest first, with one statement per distinct filter."""
    found: list[list[tuple[int, int]]] = [[] for _ in selections]
    alike: dict[tuple[Any, ...], list[int]] = {}
    for place, one in enumerate(selections):
        alike.setdefault((one.task, one.state, one.limit), []).append(place)
    connection = session.connection()  # its rows are plain; a session would look for objects in them
    for places in alike.values():
        each = [(place, selections[place].owner_id, *_bounds(selections[place])) for place in places]
        asked = integers(session, "selections", "place", "owner_id", "first", "last")
        statement = _versions(asked, selections[places[0]])
        for place, run_id, version in connection.execute(statement, {"selections": each}).all():
            found[place].append((run_id, version))
    return [sorted(runs, reverse=True) for runs in found]


def _versions(asked: CTE, one: Selection) -> Select[int, int, int]:
    """Return a query for run versions of all selections with this filter. It finds the last run of each first."""
    fitting = select(Run.id).where(*_between(asked), *_narrowed(one)).order_by(Run.id.desc())
    last = fitting.offset(one.limit - 1).limit(1).scalar_subquery()
    first = func.coalesce(last, asked.c.first).label("first")
    each = at_once(select(asked.c.place, asked.c.owner_id, first, asked.c.last))
    return select(each.c.place, Run.id, Run.version).where(*_between(each), *_narrowed(one))


def _between(each: CTE) -> list[ColumnElement[bool]]:
    return [Run.owner_id == each.c.owner_id, Run.id.between(each.c.first, each.c.last)]


def _listed(selection: Selection) -> Select[Run]:
    mine = Run.owner_id == selection.owner_id, Run.id.between(*_bounds(selection)), *_narrowed(selection)
    return select(Run).where(*mine).order_by(Run.id.desc()).limit(selection.limit)


def _bounds(selection: Selection) -> tuple[int, int]:
    """Return the lowest and highest run id of a selection."""
    last = LARGEST_ID if selection.before is None else selection.before - 1
    return (0, last) if selection.run_id is None else (selection.run_id, min(selection.run_id, last))


def _narrowed(selection: Selection) -> list[ColumnElement[bool]]:
    narrowed = []
    if selection.task is not None:
        narrowed.append(Run.task == selection.task)
    if selection.state is not None:
        narrowed.append(Run.state == selection.state)
    return narrowed


LATEST = 100


class Ending(NamedTuple):
    """The end of a run: its attempt, final state and time."""

    run_id: int
    attempt: int
    task: str
    state: State
    ended_at: datetime


def endings(session: Session, owner_id: int, after: datetime) -> list[Ending]:
    """Return the endings after a time among an owner's LATEST runs, oldest first."""
    latest = select(Run.id).where(Run.owner_id == owner_id).order_by(Run.id.desc()).limit(LATEST).subquery()
    columns = (Run.id, Run.attempt, Run.task, Run.state, Run.ended_at)
    ended = select(*columns).where(Run.id.in_(select(latest.c.id)), Run.ended_at > after).order_by(Run.ended_at, Run.id)
    found = session.execute(ended)
    return [Ending(run_id, attempt, task, state, at) for run_id, attempt, task, state, at in found if at]


def owned(session: Session, owner_id: int, run_id: int) -> Run | None:
    """Return a run if it belongs to this owner, else None."""
    return session.scalar(select(Run).where(Run.id == run_id, Run.owner_id == owner_id))
