"""Space that uploads on their way have reserved, so that several at once cannot store more than a quota.

A reservation lasts RESERVED_SECONDS and is renewed while bytes arrive, so one of a process that died ends by itself.
"""

from datetime import datetime, timedelta

from sqlalchemy import BigInteger, Index, delete, func, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from jobs.runs import people
from jobs.runs.file_ownership import used_bytes
from jobs.runs.people import owner_key
from jobs.storage.database import Base, Database, UtcDateTime, utcnow

RESERVED_SECONDS = 180
RENEWED_SECONDS = 60


class ReservedSpace(Base):
    __tablename__ = "reserved_space"
    __table_args__ = (Index("ix_reserved_space_owner", "owner_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int] = mapped_column(owner_key("reserved_space"))
    size: Mapped[int] = mapped_column(BigInteger)
    until: Mapped[datetime] = mapped_column(UtcDateTime)


def reserve(database: Database, owner_id: int, wanted: int, quota: int) -> ReservedSpace:
    """Reserve up to `wanted` bytes of what is left of a user's quota, and return the reservation."""
    with database.write() as session:
        people.in_turn(session, owner_id)
        session.execute(delete(ReservedSpace).where(ReservedSpace.owner_id == owner_id, ReservedSpace.until < utcnow()))
        left = quota - used_bytes(session, owner_id) - _reserved_bytes(session, owner_id)
        made = ReservedSpace(owner_id=owner_id, size=max(0, min(wanted, left)), until=_end())
        session.add(made)
    return made


def renew(database: Database, reservation: ReservedSpace) -> None:
    with database.write() as session:
        session.execute(update(ReservedSpace).where(ReservedSpace.id == reservation.id).values(until=_end()))


def release(database: Database, reservation: ReservedSpace) -> None:
    with database.write() as session:
        session.execute(delete(ReservedSpace).where(ReservedSpace.id == reservation.id))


def _reserved_bytes(session: Session, owner_id: int) -> int:
    total = select(func.coalesce(func.sum(ReservedSpace.size), 0)).where(ReservedSpace.owner_id == owner_id)
    return int(session.scalar(total) or 0)


def _end() -> datetime:
    return utcnow() + timedelta(seconds=RESERVED_SECONDS)
