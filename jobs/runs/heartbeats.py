"""Worker heartbeats: one row for each worker, which refreshes it."""

import os
import socket
from datetime import datetime, timedelta
from typing import cast

from sqlalchemy import String, Table, bindparam, delete, func, insert, select, update
from sqlalchemy.orm import Mapped, mapped_column

from jobs.storage.database import Base, Database, UtcDateTime, utcnow

SEEN_WITHIN_SECONDS = 45
FORGET_AFTER_SECONDS = 24 * 3600


class WorkerRow(Base):
    __tablename__ = "workers"

    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    host: Mapped[str] = mapped_column(String(255))
    pid: Mapped[int]
    started_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)


WORKERS = cast(Table, WorkerRow.__table__)
SEEN = update(WORKERS).where(WORKERS.c.name == bindparam("worker")).values(seen_at=bindparam("now"))
FIRST_SEEN = insert(WORKERS)


def seen(database: Database, worker: str) -> None:
    """Note that this worker is alive now."""
    now = utcnow()
    with database.change() as connection:
        if connection.execute(SEEN, {"worker": worker, "now": now}).rowcount == 0:
            row = {"name": worker, "host": socket.gethostname(), "pid": os.getpid(), "started_at": now, "seen_at": now}
            connection.execute(FIRST_SEEN, row)


def warm_up(database: Database) -> None:
    """Compile the statements above, by a row that nobody sees."""
    with database.change() as connection:
        row = {"name": "", "host": "", "pid": 0, "started_at": utcnow(), "seen_at": utcnow()}
        connection.execute(FIRST_SEEN, row)
        connection.execute(SEEN, {"worker": "", "now": utcnow()})
        connection.execute(delete(WORKERS).where(WORKERS.c.name == ""))


def gone(database: Database, worker: str) -> None:
    """Forget a worker that has ended, and those that nobody has seen for a day."""
    old = WorkerRow.seen_at < utcnow() - timedelta(seconds=FORGET_AFTER_SECONDS)
    with database.write() as session:
        session.execute(delete(WorkerRow).where((WorkerRow.name == worker) | old))


def alive(database: Database) -> int:
    """Return the number of workers seen within SEEN_WITHIN_SECONDS."""
    recent = WorkerRow.seen_at > utcnow() - timedelta(seconds=SEEN_WITHIN_SECONDS)
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(WorkerRow).where(recent)) or 0
