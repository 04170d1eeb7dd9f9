"""Tasks that a person has pinned, so that the start page lists them first."""

from datetime import datetime

from sqlalchemy import String, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from jobs.runs.people import in_turn, owner_key
from jobs.storage.database import Base, Database, UtcDateTime, utcnow


class Pin(Base):
    __tablename__ = "pins"

    owner_id: Mapped[int] = mapped_column(owner_key("pins"), primary_key=True, autoincrement=False)
    task: Mapped[str] = mapped_column(String(100), primary_key=True)
    pinned_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)


def pin(database: Database, owner_id: int, task: str) -> None:
    """Pin a task. One that is pinned keeps its place."""
    with database.write() as session:
        in_turn(session, owner_id)
        if session.get(Pin, (owner_id, task)) is None:
            session.add(Pin(owner_id=owner_id, task=task))


def unpin(database: Database, owner_id: int, task: str) -> None:
    """Unpin a task. Repeating it has no effect."""
    with database.write() as session:
        session.execute(delete(Pin).where(Pin.owner_id == owner_id, Pin.task == task))


def pinned(session: Session, owner_id: int) -> list[str]:
    """Return the names of a person's pinned tasks in the order of pinning."""
    return list(session.scalars(select(Pin.task).where(Pin.owner_id == owner_id).order_by(Pin.pinned_at, Pin.task)))
