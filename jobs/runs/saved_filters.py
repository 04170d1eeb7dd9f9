"""Saved filters: queries of the history under a name, each person's own."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Index, String, delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column

from jobs.runs import audit, people
from jobs.runs.people import owner_key
from jobs.storage.database import Base, Database, UtcDateTime, utcnow

MOST = 30
LONGEST_NAME = 60


class RefusedFilter(ValueError):
    """A filter that cannot be saved; the message gives the reason."""


class SavedFilter(Base):
    """A query under a name that none of the owner's others has."""

    __tablename__ = "saved_filters"
    __table_args__ = (Index("ix_saved_filters_name", "owner_id", "name", unique=True),)

    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int] = mapped_column(owner_key("saved_filters"))
    name: Mapped[str] = mapped_column(String(LONGEST_NAME))
    query: Mapped[str] = mapped_column(String(500))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)


def listed(database: Database, owner_id: int) -> Sequence[SavedFilter]:
    """Return an owner's saved filters by name."""
    mine = select(SavedFilter).where(SavedFilter.owner_id == owner_id)
    with database.read() as session:
        return sorted(session.scalars(mine), key=lambda one: one.name.casefold())


def save(database: Database, owner_id: int, name: str, query: str) -> None:
    """Save a query under a name, in place of one with that name. Raises RefusedFilter."""
    with database.write() as session:
        people.in_turn(session, owner_id)
        same = (SavedFilter.owner_id == owner_id) & (SavedFilter.name == name)
        changed = update(SavedFilter).where(same).values(query=query).returning(SavedFilter.id)
        if session.scalar(changed) is None:
            count = session.scalar(select(func.count()).where(SavedFilter.owner_id == owner_id)) or 0
            if count >= MOST:
                raise RefusedFilter(f"You have {MOST} saved filters. Delete one first.")
            session.add(SavedFilter(owner_id=owner_id, name=name, query=query))
        audit.note(session, "filter saved", name, after={"query": query})


def rename(database: Database, owner_id: int, filter_id: int, name: str) -> bool:
    """Give one of an owner's filters another name and return whether there is such a filter. Raises RefusedFilter."""
    mine = (SavedFilter.id == filter_id) & (SavedFilter.owner_id == owner_id)
    try:
        with database.write() as session:
            before = session.scalar(select(SavedFilter.name).where(mine).with_for_update())
            if before is None:
                return False
            session.execute(update(SavedFilter).where(mine).values(name=name))
            audit.note(session, "filter renamed", name, before={"name": before})
    except IntegrityError:
        raise RefusedFilter("You have another filter with this name.") from None
    return True


def remove(database: Database, owner_id: int, filter_id: int) -> bool:
    """Delete one of an owner's filters and return whether there was such a filter."""
    mine = (SavedFilter.id == filter_id) & (SavedFilter.owner_id == owner_id)
    with database.write() as session:
        name = session.scalar(delete(SavedFilter).where(mine).returning(SavedFilter.name))
        if name is not None:
            audit.note(session, "filter deleted", name)
    return name is not None
