"""Records of tasks, by which runs stay readable when the code of their task is gone."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from sqlalchemy import String, Text, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from jobs.runs.run import Run
from jobs.storage.database import Base, Database

# So many of a person's newest runs say which tasks they have recently used.
RECENT_RUNS = 100


class TaskRow(Base):
    """A task as it was when a run of it was last submitted. `parameters` is a JSON schema."""

    __tablename__ = "tasks"

    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    title: Mapped[str] = mapped_column(Text)
    parameters: Mapped[str] = mapped_column(Text)


class TaskRecord(NamedTuple):
    """A task's title and the JSON schema of its parameters."""

    title: str
    parameters: Mapping[str, Any]


def record_task(database: Database, name: str, task: TaskRecord) -> None:
    """Record a task, or replace its record."""
    row = TaskRow(name=name, title=task.title, parameters=json.dumps(task.parameters, default=str))
    try:
        with database.write() as session:
            session.merge(row)
    except IntegrityError:
        return  # another process has just recorded it


def recorded_task(database: Database, name: str) -> TaskRecord | None:
    """Return the record of a task, or None if no run of it was submitted since there are records."""
    with database.read() as session:
        row = session.get(TaskRow, name)
    return TaskRecord(row.title, json.loads(row.parameters)) if row else None


def tasks_of(database: Database, owner_id: int) -> list[str]:
    """Return the names of the tasks that an owner has runs of, with one look at an index for each."""
    first = select(func.min(Run.task).label("task")).where(Run.owner_id == owner_id).cte(recursive=True)
    following = select(func.min(Run.task)).where(Run.owner_id == owner_id, Run.task > first.c.task).scalar_subquery()
    each = first.union_all(select(following).where(first.c.task.is_not(None)))
    with database.read() as session:
        return list(session.scalars(select(each.c.task).where(each.c.task.is_not(None))))


def recent_tasks(session: Session, owner_id: int) -> list[str]:
    """Return the names of the tasks of an owner's newest runs, the latest first."""
    newest = select(Run.task).where(Run.owner_id == owner_id).order_by(Run.id.desc()).limit(RECENT_RUNS)
    return list(dict.fromkeys(session.scalars(newest)))
