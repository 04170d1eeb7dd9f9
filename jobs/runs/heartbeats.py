"""Worker heartbeats: one row for each worker, which refreshes it."""

import os
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from sqlalchemy import String, Table, Text, bindparam, delete, func, insert, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from jobs.runs.pauses import Kind, Pause, is_at_work
from jobs.storage.database import Base, Database, UtcDateTime, utcnow

SEEN_WITHIN_SECONDS = 45
FORGET_AFTER_SECONDS = 24 * 3600


class WorkerRow(Base):
    """A worker. `tasks` are the names of the tasks that it has, separated by spaces; None if it does not say.

    `idle_since` is when its last run ended, or when it started.
    """

    __tablename__ = "workers"

    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    host: Mapped[str] = mapped_column(String(255))
    pid: Mapped[int]
    started_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    tasks: Mapped[str | None] = mapped_column(Text)
    idle_since: Mapped[datetime | None] = mapped_column(UtcDateTime)


@dataclass(frozen=True)
class Alive:
    """The number of workers that are alive and at work, the names of their tasks, or None if one does not say.

    `drained` is the number of those that are alive and drained.
    """

    workers: int
    tasks: frozenset[str] | None
    drained: int = 0


WORKERS = cast(Table, WorkerRow.__table__)
SEEN = (
    update(WORKERS)
    .where(WORKERS.c.name == bindparam("worker"))
    .values(seen_at=bindparam("now"), idle_since=bindparam("since"))
)
FIRST_SEEN = insert(WORKERS)
SINCE = WORKERS.c.seen_at > bindparam("since")
AT_WORK = select(WORKERS.c.tasks, func.count()).where(SINCE, is_at_work(WORKERS.c.name)).group_by(WORKERS.c.tasks)
ALIVE = select(func.count()).where(SINCE)


def seen(
    database: Database, worker: str, tasks: Iterable[str] | None = None, idle_since: datetime | None = None
) -> None:
    """Note that this worker, which has these tasks, is alive now."""
    now = utcnow()
    since = idle_since or now
    names = None if tasks is None else " ".join(sorted(tasks))
    with database.change() as connection:
        if connection.execute(SEEN, {"worker": worker, "now": now, "since": since}).rowcount == 0:
            row = {"name": worker, "host": socket.gethostname(), "pid": os.getpid(), "started_at": now, "seen_at": now}
            connection.execute(FIRST_SEEN, {**row, "tasks": names, "idle_since": since})


def warm_up(database: Database) -> None:
    """Compile the statements above, by a row that nobody sees."""
    with database.change() as connection:
        now = utcnow()
        row = {"name": "", "host": "", "pid": 0, "started_at": now, "seen_at": now, "tasks": "", "idle_since": now}
        connection.execute(FIRST_SEEN, row)
        connection.execute(SEEN, {"worker": "", "now": now, "since": now})
        connection.execute(delete(WORKERS).where(WORKERS.c.name == ""))


def gone(database: Database, worker: str) -> None:
    """Forget a worker that has ended, those that nobody has seen for a day, and that they were drained."""
    old = WorkerRow.seen_at < utcnow() - timedelta(seconds=FORGET_AFTER_SECONDS)
    with database.write() as session:
        session.execute(delete(WorkerRow).where((WorkerRow.name == worker) | old))
        session.execute(delete(Pause).where(Pause.kind == Kind.WORKER, Pause.name.not_in(select(WorkerRow.name))))


def listed(session: Session, limit: int) -> Sequence[WorkerRow]:
    """Return workers by machine and age. Those that have not been seen lately may be lost with their machine."""
    return session.scalars(select(WorkerRow).order_by(WorkerRow.host, WorkerRow.started_at).limit(limit)).all()


def is_known(session: Session, worker: str) -> bool:
    return session.get(WorkerRow, worker) is not None


def alive(database: Database) -> int:
    """Return the number of workers seen within SEEN_WITHIN_SECONDS."""
    with database.read() as session:
        return session.scalar(ALIVE, {"since": _lately()}) or 0


def workers_alive(session: Session) -> Alive:
    """Return the workers seen within SEEN_WITHIN_SECONDS. Those of one deployment have the same tasks: few rows."""
    given = {"since": _lately()}
    rows = session.connection().execute(AT_WORK, given).all()
    said = [tasks.split() for tasks, _count in rows if tasks is not None]
    known = frozenset(name for names in said for name in names) if len(said) == len(rows) else None
    workers = sum(count for _tasks, count in rows)
    drained = 0 if workers else session.connection().execute(ALIVE, given).scalar() or 0
    return Alive(workers, known, drained)


def _lately() -> datetime:
    return utcnow() - timedelta(seconds=SEEN_WITHIN_SECONDS)
