"""Checkpoints: how far a long run had come, kept in the database so that its next attempt goes on from there."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, delete, select
from sqlalchemy.orm import Mapped, mapped_column

from jobs.runs.lease import LEASE_SECONDS, renew_in
from jobs.runs.run import Run, State
from jobs.storage.database import Base, Database, PlainJson, UtcDateTime, utcnow


class CheckpointRow(Base):
    __tablename__ = "checkpoints"

    run_id: Mapped[int] = mapped_column(
        ForeignKey("runs.id", name="fk_checkpoints_run", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    value: Mapped[Any] = mapped_column(PlainJson, nullable=True)
    saved_at: Mapped[datetime] = mapped_column(UtcDateTime)


def load(database: Database, run_id: int) -> Any:
    """Return a run's latest checkpoint, or None."""
    with database.read() as session:
        return session.scalar(select(CheckpointRow.value).where(CheckpointRow.run_id == run_id))


def save(database: Database, run: Run, value: Any, lease_seconds: float = LEASE_SECONDS) -> bool:
    """Store a checkpoint and return True, or return False and store nothing if the run's lease is lost."""
    with database.write() as session:
        if renew_in(session, run, lease_seconds) is None:
            return False
        session.merge(CheckpointRow(run_id=run.id, value=value, saved_at=utcnow()))
        return True


def forget(database: Database) -> None:
    """Delete the checkpoints of runs that have succeeded."""
    succeeded = select(Run.id).where(Run.state == State.SUCCEEDED)
    kept = select(CheckpointRow.run_id).where(CheckpointRow.run_id.in_(succeeded)).limit(1)
    with database.read() as session:
        if session.scalar(kept) is None:
            return
    with database.write() as session:
        session.execute(delete(CheckpointRow).where(CheckpointRow.run_id.in_(succeeded)))
