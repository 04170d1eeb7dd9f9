"""Which workers are alive: a row each, refreshed by the worker itself."""

import os
import socket
from datetime import datetime, timedelta

from sqlalchemy import String, delete, func, select
from sqlalchemy.orm import Mapped, mapped_column

from jobs.db import Base, Database, UtcDateTime, utcnow

SEEN_WITHIN_SECONDS = 45
FORGET_AFTER_SECONDS = 24 * 3600


class WorkerRow(Base):
    __tablename__ = "workers"

    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    host: Mapped[str] = mapped_column(String(255))
    pid: Mapped[int]
    started_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)


def seen(database: Database, worker: str) -> None:
    """Note that this worker is alive now."""
    with database.write() as session:
        session.merge(WorkerRow(name=worker, host=socket.gethostname(), pid=os.getpid(), seen_at=utcnow()))


def gone(database: Database, worker: str) -> None:
    """Forget a worker that has ended, and those that nobody has seen for a day."""
    old = WorkerRow.seen_at < utcnow() - timedelta(seconds=FORGET_AFTER_SECONDS)
    with database.write() as session:
        session.execute(delete(WorkerRow).where((WorkerRow.name == worker) | old))


def alive(database: Database) -> int:
    """How many workers have been seen lately."""
    recent = WorkerRow.seen_at > utcnow() - timedelta(seconds=SEEN_WITHIN_SECONDS)
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(WorkerRow).where(recent)) or 0
