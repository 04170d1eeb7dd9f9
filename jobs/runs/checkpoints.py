"""Checkpoints: how far a long run had come, kept in the database so that its next attempt goes on from there."""

from datetime import datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Mapped, mapped_column

from jobs.runs.lease import LEASE_SECONDS, renew_in
from jobs.runs.run import Run, State, run_key
from jobs.storage.database import Base, Database, PlainJson, UtcDateTime, utcnow

MOST_CHECKPOINTS = 100


class CheckpointRow(Base):
    __tablename__ = "checkpoints"

    run_id: Mapped[int] = mapped_column(run_key("checkpoints"), primary_key=True, autoincrement=False)
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


class CheckpointCleanup:
    """A walk through all checkpoints, a page at each sweep."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._after = 0

    def sweep(self) -> None:
        """Delete the next page's checkpoints of runs that have succeeded."""
        state = select(Run.state).where(Run.id == CheckpointRow.run_id).scalar_subquery()
        page = select(CheckpointRow.run_id, state).where(CheckpointRow.run_id > self._after)
        with self._database.read() as session:
            found = session.execute(page.order_by(CheckpointRow.run_id).limit(MOST_CHECKPOINTS)).all()
        self._after = found[-1][0] if len(found) == MOST_CHECKPOINTS else 0
        succeeded = [run_id for run_id, state in found if state is State.SUCCEEDED]
        if succeeded:
            with self._database.change() as connection:
                connection.execute(delete(CheckpointRow).where(CheckpointRow.run_id.in_(succeeded)))
