"""Idempotency keys: a program that repeats a submission after a lost answer gets the run of the first one.

A key is committed together with its run and kept as long as the run, whatever becomes of it.
"""

from sqlalchemy import Index, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from jobs.runs.people import owner_key
from jobs.runs.run import Run, run_key
from jobs.storage.database import Base

LONGEST_KEY = 255


class Reused(Exception):
    """A key that was used for another submission; `parameter` differs, or the task if it is None."""

    def __init__(self, parameter: str | None) -> None:
        super().__init__(parameter)
        self.parameter = parameter


class IdempotencyKey(Base):
    __tablename__ = "idempotency_keys"
    __table_args__ = (Index("ix_idempotency_keys_run", "run_id"),)

    owner_id: Mapped[int] = mapped_column(owner_key("idempotency_keys"), primary_key=True, autoincrement=False)
    key: Mapped[str] = mapped_column(String(LONGEST_KEY), primary_key=True)
    run_id: Mapped[int] = mapped_column(run_key("idempotency_keys"))


def run_with(session: Session, owner_id: int, key: str) -> Run | None:
    """Return the run that an owner has submitted with a key, or None."""
    query = select(Run).join(IdempotencyKey, IdempotencyKey.run_id == Run.id)
    return session.scalar(query.where(IdempotencyKey.owner_id == owner_id, IdempotencyKey.key == key))
