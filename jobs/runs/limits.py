"""Limits: how many runs of a task may be running at once, in all or for each key.

- `@task(concurrency=2)` limits the task. `@task(concurrency=1, per="customer")` limits its runs with equal values of a
  parameter, and `per="owner"` those of each owner. A run's `limit_key`, a digest of its task and that value, is stored
  when it is submitted.
- A limit counts **leases**: the rows of runs that are running. There is no counter that could differ from them, so a
  worker that is lost frees its place with its lease, and nothing has to be repaired.
- A claim passes over runs of tasks and keys that are **full** (jobs.runs.heads). SQLite has one writer, so nothing
  changes between the count and the claim. On Postgres a claim then takes a lock for each of its run's limits until it
  commits, and counts again; if another claim was faster, all of it is undone and tried again. Locks are taken in the
  order of their numbers, after rows of runs, for which no claim waits, and before lanes. So no two claims wait for
  each other.
- Whoever ends a run **wakes** a worker for the first run that waits under the same key, because the job that was pushed
  for it may have been used up in vain.

Runs that were submitted before their task had a limit have no key. They count for the task's limit, and all together
as one key.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, bindparam, func, select, text
from sqlalchemy.orm import Session

from jobs.authoring.options import OWNER
from jobs.authoring.task import Task, TaskSummary
from jobs.runs.run import Run, State

NO_KEY = ""
RUNNING = Run.state == bindparam(None, State.RUNNING, literal_execute=True)
COUNTED = select(Run.task, Run.limit_key, func.count().label("runs")).where(RUNNING).group_by(Run.task, Run.limit_key)
LOCK = text("SELECT pg_advisory_xact_lock(number) FROM unnest(CAST(:numbers AS bigint[])) AS number")
FIRST_OF_KEY = (
    select(Run.id)
    .where(Run.limit_key == bindparam("key"), Run.state == bindparam(None, State.QUEUED, literal_execute=True))
    .where(Run.due_at.is_(None))
    .order_by(Run.limit_key, Run.id)
    .limit(1)
)


class Crowded(Exception):
    """A claim of a run whose limit another claim has just reached. The transaction must be undone and tried again."""


@dataclass(frozen=True)
class Limit:
    """The most runs of a task that may be running at once, in all or for each key."""

    most: int
    has_keys: bool = False


@dataclass(frozen=True)
class Taken:
    """How many runs are running under each limit: by task, or by task and key (`_counted`)."""

    limits: Mapping[str, Limit] = field(default_factory=dict)
    counts: Counter[tuple[str, ...]] = field(default_factory=Counter)

    @property
    def full(self) -> Collection[tuple[str, ...]]:
        """The tasks, and the tasks and keys, that have as many running runs as they may have."""
        return [counted for counted, count in self.counts.items() if count >= self.limits[counted[0]].most]

    def startable(self, waiting: Iterable[Any]) -> list[Any]:
        """Return those of the rows of runs that could be running together, and with the ones that are."""
        counts, found = self.counts.copy(), []
        for row in waiting:
            counted = _counted(row, self.limits)
            if not counted or counts[counted] < self.limits[row.task].most:
                counts[counted] += 1
                found.append(row)
        return found


def limits_of(tasks: Mapping[str, TaskSummary]) -> dict[str, Limit]:
    """Return the limits of these tasks, by the task's name."""
    return {
        name: Limit(task.concurrency, has_keys=task.per is not None)
        for name, task in tasks.items()
        if task.concurrency is not None
    }


def key_of(task: Task, owner_id: int, parameters: Mapping[str, Any]) -> str | None:
    """Return the key of a run with these parameters, as they are shown, or None if its task has no limit."""
    if task.concurrency is None:
        return None
    of = owner_id if task.per == OWNER else parameters.get(task.per or "")
    words = json.dumps([task.name, task.per, of], sort_keys=True)
    return hashlib.sha256(words.encode()).hexdigest()[:32]


def taken(connection: Connection, limits: Mapping[str, Limit]) -> Taken:
    """Count what is running under these limits. Without limits it costs nothing."""
    found = Taken(limits)
    for row in connection.execute(COUNTED) if limits else ():
        if counted := _counted(row, limits):
            found.counts[counted] += row.runs
    return found


def keep(connection: Connection, limits: Mapping[str, Limit], run: Run) -> None:
    """Keep a run that has been claimed within its limits. Raises Crowded if a claim at the same time was faster."""
    counted = _counted(run, limits)
    if not counted or connection.dialect.name != "postgresql":
        return
    connection.execute(LOCK, {"numbers": [_number(*counted)]})
    if taken(connection, {run.task: limits[run.task]}).counts[counted] > limits[run.task].most:
        raise Crowded


def _number(*words: str) -> int:
    return int.from_bytes(hashlib.sha256("\0".join(words).encode()).digest()[:8], signed=True)


def keys_of(session: Session, run_ids: Collection[int]) -> Collection[str]:
    """Return the keys that these runs count under."""
    keys = select(Run.limit_key).where(Run.id.in_(run_ids), Run.limit_key.is_not(None)).distinct()
    return [key for key in session.scalars(keys) if key]


def first_waiting(session: Session, keys: Iterable[str]) -> list[int]:
    """Return the id of the first run that waits under each of these keys."""
    return [found for key in keys if (found := session.scalar(FIRST_OF_KEY, {"key": key}))]


def _counted(row: Any, limits: Mapping[str, Limit]) -> tuple[str, ...]:
    """Return the words under which a run counts, or none."""
    if row.task not in limits:
        return ()
    return (row.task, row.limit_key or NO_KEY) if limits[row.task].has_keys else (row.task,)
