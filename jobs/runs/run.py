"""The run model, one submission of a task by a user, and queries for single runs."""

from collections.abc import Collection
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Enum,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    false,
    select,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from jobs.runs.access import WHOLE, Access
from jobs.runs.people import owner_key
from jobs.storage.database import Base, PlainJson, UtcDateTime, utcnow


class State(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        return self in ENDED


LARGEST_ID = 2**63 - 1
NEVER = datetime(9999, 1, 1, tzinfo=UTC)
ENDED = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLED})


# SQLite numbers rows itself, with 64 bits, only if the column's type is INTEGER.
RunId = BigInteger().with_variant(Integer(), "sqlite")


def run_key(table: str) -> ForeignKey:
    """Return the foreign key of a table whose rows go with their run. It gives its column the type of a run's id."""
    return ForeignKey("runs.id", name=f"fk_{table}_run", ondelete="CASCADE")


class Run(Base):
    """A run, one row for each submission. `version` increases by one with every change.

    A queued run does not start before `due_at`: it is tried again then, or was scheduled for that time, which
    `scheduled_for` keeps. A run that follows another one, `after_id`, is not due as long as `awaited_id` names it; then
    it takes the other's result as the parameter `after_into`, if there is one. `push_failed_at` is the time since which
    Redis has no job for it, and `stop_requested_at` the time when its owner asked a running run to stop. `attempt`
    counts every start that may have happened, `failures` those that failed since the owner last queued the run, and
    `losses` those that lost their worker. If there are secrets among the parameters, `parameters` has marks in their
    places, and the whole document is in `encrypted_parameters`, which only the vault reads. `notes` are texts that say
    what was changed in the result to store it, or left out. `name`, `note`, `tags` and `starred` are what its owner has
    written about it. Runs with the same `limit_key` share a limit (jobs.runs.limits). `code` is the version of the code
    of the last attempt, and its commit if that is known (jobs.authoring.code_version).
    """

    __tablename__ = "runs"
    __table_args__ = (
        CheckConstraint(f"state IN ({', '.join(repr(state.value) for state in State)})", name="known_state"),
        Index("ix_runs_owner", "owner_id", "id"),
        Index("ix_runs_owner_task", "owner_id", "task", "id"),
        Index("ix_runs_owner_state", "owner_id", "state", "id"),
        Index("ix_runs_owner_task_state", "owner_id", "task", "state", "id"),
        Index("ix_runs_state", "state", "due_at", "queued_at", "id"),
        # In the databases it holds only runs that succeeded, as its migration says. Said here with the dialects'
        # options, it would make every process import all of Postgres's dialects: 2 MB.
        Index("ix_runs_succeeded", "task", "id"),
        # In the databases it holds only runs that wait for a worker, ...
        Index("ix_runs_turn", "owner_id", "task", "id"),
        Index("ix_runs_starred", "owner_id", "id"),  # ... this one those that their owner has starred, ...
        Index("ix_runs_limit", "owner_id", "task", "limit_key", "id"),
        Index("ix_runs_limit_key", "limit_key", "id"),
        # ... this one only runs that are queued and follow another one, ...
        Index("ix_runs_awaited", "awaited_id"),
        # ... this one only runs that are queued or running and have a key, unique in them, ...
        Index("ix_runs_unique", "owner_id", "unique_key", unique=True),
        Index("ix_runs_reuse", "owner_id", "reuse_key", "id"),
        Index(
            "ix_runs_failed", "state", "ended_at"
        ),  # ... and this one only runs that failed; SQLite prefers it by `state`.
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(RunId, primary_key=True)
    owner_id: Mapped[int] = mapped_column(owner_key("runs"))
    task: Mapped[str] = mapped_column(String(100))
    parameters: Mapped[dict[str, Any]] = mapped_column(JSON)
    encrypted_parameters: Mapped[str | None] = mapped_column(Text, deferred=True)
    input_bytes: Mapped[int | None] = mapped_column(BigInteger)  # of the files among the parameters, if there are any
    state: Mapped[State] = mapped_column(
        Enum(State, native_enum=False, length=16, values_callable=lambda states: [s.value for s in states]),
        default=State.QUEUED,
    )
    version: Mapped[int] = mapped_column(default=1)
    attempt: Mapped[int] = mapped_column(default=1)
    failures: Mapped[int] = mapped_column(default=0)
    losses: Mapped[int] = mapped_column(default=0)
    limit_key: Mapped[str | None] = mapped_column(String(32))

    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    queued_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    due_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    scheduled_for: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # Without foreign keys: a run that was deleted is still the one that was to come first.
    after_id: Mapped[int | None] = mapped_column(RunId)
    after_into: Mapped[str | None] = mapped_column(String(100))
    awaited_id: Mapped[int | None] = mapped_column(RunId)
    # Digests by which jobs.runs.same finds the run, for tasks that want that.
    unique_key: Mapped[str | None] = mapped_column(String(64))
    reuse_key: Mapped[str | None] = mapped_column(String(64))
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

    name: Mapped[str] = mapped_column(String(100), default="", server_default="")
    note: Mapped[str] = mapped_column(Text, default="", server_default="")
    tags: Mapped[list[str]] = mapped_column(JSON, default=list, server_default="[]")
    starred: Mapped[bool] = mapped_column(default=False, server_default=false())

    code: Mapped[str | None] = mapped_column(String(60))
    worker: Mapped[str | None] = mapped_column(String(100))
    lease_token: Mapped[str | None] = mapped_column(String(32))
    lease_expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    # What a worker that holds the run knows beside the row (jobs.runs.turns): the seconds that were charged to its
    # owner at the claim, and the time of the claim by its monotonic clock, or 0 if nothing was charged; and how many
    # runs its owner may have running (jobs.runs.limits), or -1.
    charged = 0.0
    held_since = 0.0
    most_running = -1

    # What its reader sees of it. Runs are read by their owner's id, and otherwise as `seen_with` returns them.
    access = WHOLE

    @property
    def stopping(self) -> bool:
        """Return whether the run is running and its owner has asked it to stop."""
        return self.state is State.RUNNING and self.stop_requested_at is not None

    @property
    def is_scheduled(self) -> bool:
        """Return whether the run is queued and waits for the time that it was scheduled for."""
        return self.state is State.QUEUED and self.due_at is not None and self.due_at == self.scheduled_for

    @property
    def seconds(self) -> float | None:
        """The duration of the last attempt in seconds, or None if it has not ended."""
        if self.started_at is None or self.ended_at is None:
            return None
        return max(0.0, (self.ended_at - self.started_at).total_seconds())


def seen_with(run: Run, access: Access) -> Run:
    """Return a run that was read in a session of its own, without what its reader does not see of it."""
    run.access = access
    if not access.parameters:
        run.parameters = {}
    if not access.owns:
        run.note, run.tags, run.starred = "", [], False
    return run


def in_states(session: Session, run_ids: Collection[int], states: Collection[State]) -> set[int]:
    """Return which of these runs are in one of these states."""
    # The states are compared here: with a condition, SQLite would rather read all runs in these states.
    found = session.execute(select(Run.id, Run.state).where(Run.id.in_(run_ids))) if run_ids else ()
    return {run_id for run_id, state in found if state in states}


def owned(session: Session, owner_id: int, run_id: int) -> Run | None:
    """Return a run if it belongs to this owner, else None."""
    return session.scalar(select(Run).where(Run.id == run_id, Run.owner_id == owner_id))
