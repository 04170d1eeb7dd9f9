"""Actions on many runs of one owner's: to cancel them, run them again, delete or tag them.

An action is a row: the filters of the history's address, and the highest id at that moment, so that later runs are left
alone. The sweeper takes the runs in pieces, from the newest on. The row says how far it has come, so another sweeper
goes on there.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, Index, String, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from jobs.runs import audit
from jobs.runs.people import owner_key
from jobs.runs.run import Run, RunId, State
from jobs.runs.run_tags import LONGEST_TAG
from jobs.runs.selection import Selection, count_up_to, newest_ids
from jobs.storage.database import Base, Database, UtcDateTime, utcnow

MOST_COUNTED = 10_000
MOST_GOING_ON = 5
MOST_CHOSEN = 200
FILTERS = ("task", "state", "tag", "starred", "chosen")


class Action(StrEnum):
    CANCEL = "cancel"
    RETRY = "retry"
    DELETE = "delete"
    TAG = "tag"


class TooManyActions(Exception):
    """The owner has as many actions going on as a user may have."""


class BulkAction(Base):
    """An action on the runs that fit `filters`, from the one below the id `below` on.

    `total` is the number of runs at its beginning, at most MOST_COUNTED + 1; `left_alone` those that could not be
    cancelled, run again or deleted. It goes on at `due_at`.
    """

    __tablename__ = "bulk_actions"
    __table_args__ = (
        Index("ix_bulk_actions_owner", "owner_id", "id"),
        Index("ix_bulk_actions_due", "due_at"),  # in the databases it holds only those that go on
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int] = mapped_column(owner_key("bulk_actions"))
    action: Mapped[str] = mapped_column(String(10))
    tag: Mapped[str] = mapped_column(String(LONGEST_TAG), default="")
    filters: Mapped[dict[str, str]] = mapped_column(JSON)
    below: Mapped[int] = mapped_column(RunId)
    total: Mapped[int]
    done: Mapped[int] = mapped_column(default=0)
    left_alone: Mapped[int] = mapped_column(default=0)
    begun_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    aborted: Mapped[bool] = mapped_column(default=False)


def begin(database: Database, action: BulkAction) -> int:
    """Store an action, which the sweeper takes up within a second, and return its id. Raises TooManyActions."""
    with database.write() as session:
        mine = select(func.count()).where(BulkAction.owner_id == action.owner_id, BulkAction.ended_at.is_(None))
        if (session.scalar(mine) or 0) >= MOST_GOING_ON:
            raise TooManyActions
        session.add(action)
        session.flush()
        facts = {"action": action.action, "filters": action.filters, "below": action.below, "runs": action.total}
        audit.note(session, "bulk action begun", f"bulk action {action.id}", after=facts)
    return action.id


def abort(database: Database, owner_id: int, action_id: int) -> None:
    """End an action after the piece at which it is. What is done stays done. Repeating it has no effect."""
    with database.write() as session:
        action = _locked(session, owner_id, action_id)
        if action and action.ended_at is None:
            end(session, action, aborted=True)


def of_owner(database: Database, owner_id: int, action_id: int) -> BulkAction | None:
    with database.read() as session:
        return session.scalar(select(BulkAction).where(BulkAction.id == action_id, BulkAction.owner_id == owner_id))


def end(session: Session, action: BulkAction, aborted: bool = False) -> None:
    """End an action in the transaction that has locked it."""
    action.ended_at, action.aborted = utcnow(), aborted
    facts = {"runs": action.done, "left alone": action.left_alone, "aborted": aborted}
    audit.note(session, "bulk action ended", f"bulk action {action.id}", after=facts)


def count(database: Database, owner_id: int, filters: Mapping[str, str]) -> int:
    """Return how many runs fit, at most MOST_COUNTED + 1."""
    with database.read() as session:
        if "chosen" in filters:
            return len(following(session, owner_id, filters, None, MOST_CHOSEN))
        return count_up_to(session, selected(owner_id, filters), MOST_COUNTED + 1)


def following(
    session: Session, owner_id: int, filters: Mapping[str, str], below: int | None, limit: int
) -> Sequence[int]:
    """Return the newest runs that fit and have an id below this one, at most so many."""
    if "chosen" in filters:
        mine = select(Run.id).where(Run.owner_id == owner_id, Run.id.in_(_chosen(filters["chosen"])))
        some = mine if below is None else mine.where(Run.id < below)
        return session.scalars(some.order_by(Run.id.desc()).limit(limit)).all()
    return session.scalars(newest_ids(session, selected(owner_id, filters, below), limit)).all()


def selected(owner_id: int, filters: Mapping[str, str], below: int | None = None) -> Selection:
    """Return the selection that the filters of an address stand for. What they do not say does not restrict it."""
    state = filters.get("state", "")
    return Selection(
        owner_id,
        filters.get("task") or None,
        State(state) if state in set(State) else None,
        before=below,
        tag=filters.get("tag") or None,
        starred=filters.get("starred") == "yes",
    )


def _chosen(text: str) -> list[int]:
    return [int(one) for one in text.split(".")[:MOST_CHOSEN] if one.isascii() and one.isdecimal() and len(one) < 19]


def _locked(session: Session, owner_id: int, action_id: int) -> BulkAction | None:
    mine: Any = select(BulkAction).where(BulkAction.id == action_id, BulkAction.owner_id == owner_id)
    found: BulkAction | None = session.scalar(mine.with_for_update())
    return found
