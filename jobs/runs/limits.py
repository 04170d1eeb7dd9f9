"""Limits: how many runs of a task may be running at once, in all or for each key.

- `@task(concurrency=2)` limits the task. `@task(concurrency=1, per="customer")` limits its runs with equal values of a
  parameter, and `per="owner"` those of each owner. A run's `limit_key`, a digest of its task and that value, is stored
  when it is submitted.
- A user's cap `running_runs` (jobs.runs.caps) limits their runs of all tasks.
- A limit counts **leases**: the rows of runs that are running. There is no counter that could differ from them, so a
  worker that is lost frees its place with its lease, and nothing has to be repaired.
- A claim passes over runs of tasks, keys and owners that are **full** (jobs.runs.heads). SQLite has one writer, so
  nothing changes between the count and the claim. On Postgres a claim then takes a lock for each of its run's limits
  until it commits, and counts again; if another claim was faster, all of it is undone and tried again. Locks are taken
  in the order of their numbers, after rows of runs, for which no claim waits, and before lanes. So no two claims wait
  for each other.
- Whoever ends a run **wakes** a worker for the first run that waits under each of its limits, because the job that was
  pushed for it may have been used up in vain.

Runs that were submitted before their task had a limit have no key. They count for the task's limit, and all together
as one key.
"""

import hashlib
import json
import secrets
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Connection, Integer, bindparam, case, exists, func, or_, select, text
from sqlalchemy.orm import Session

from jobs.authoring.options import OWNER, RunOptions
from jobs.authoring.task import Task
from jobs.runs.caps import UserCaps
from jobs.runs.people import Person, Role
from jobs.runs.run import Run, State

NO_KEY = ""
RUNNING = Run.state == bindparam(None, State.RUNNING, literal_execute=True)
COUNTED = select(Run.task, Run.limit_key, func.count().label("runs")).where(RUNNING).group_by(Run.task, Run.limit_key)
LOCK = text("SELECT pg_advisory_xact_lock(number) FROM unnest(CAST(:numbers AS bigint[])) AS number")
WAITING = select(Run.id).where(Run.state == bindparam(None, State.QUEUED, literal_execute=True), Run.due_at.is_(None))
FIRST_OF_KEY = WAITING.where(Run.limit_key == bindparam("key")).order_by(Run.limit_key, Run.id).limit(1)
FIRST_OF_OWNER = WAITING.where(Run.owner_id == bindparam("owner")).order_by(Run.state, Run.id).limit(1)
RUNNING_OF_OWNER = select(func.count()).where(RUNNING, Run.owner_id == bindparam("owner"))
OF_ROLE = case(*((Person.role == role, bindparam(f"given_{role}_running", type_=Integer)) for role in Role))
MOST_RUNNING = func.coalesce(UserCaps.running_runs, OF_ROLE)
CAPPED = select(func.coalesce(MOST_RUNNING, -1)).join_from(
    Person, UserCaps, UserCaps.owner_id == Person.id, isouter=True
)
LIMITS_OF_RUNS = (
    select(Run.limit_key, Run.owner_id, func.coalesce(MOST_RUNNING, -1).label("most"))
    .join(Person, Person.id == Run.owner_id)
    .outerjoin(UserCaps, UserCaps.owner_id == Run.owner_id)
    .where(Run.id.in_(bindparam("run_ids", expanding=True)))
)
# Where nobody has a cap, no running run is looked at.
HAS_CAPS = or_(
    *(bindparam(f"given_{role}_running", type_=Integer).is_not(None) for role in Role),
    exists().where(UserCaps.running_runs.is_not(None)),
)
FULL_OWNERS = (
    select(Run.owner_id)
    .join(Person, Person.id == Run.owner_id)
    .outerjoin(UserCaps, UserCaps.owner_id == Run.owner_id)
    .where(RUNNING, HAS_CAPS)
    .group_by(Run.owner_id, Person.role, UserCaps.running_runs)
    .having(func.count() >= MOST_RUNNING)
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
    """The numbers of running runs under each limit: by task, or by task and key (`_counted`)."""

    limits: Mapping[str, Limit] = field(default_factory=dict)
    counts: Counter[tuple[str, ...]] = field(default_factory=Counter)

    @property
    def full(self) -> Collection[tuple[str, ...]]:
        """The tasks, and the tasks and keys, that have as many running runs as they may have."""
        return [counted for counted, count in self.counts.items() if count >= self.limits[counted[0]].most]

    def given(self, tasks: Iterable[str]) -> dict[str, Any]:
        """Return the values for a claim (jobs.runs.turns): the tasks to look at, and those of which keys are full."""
        full = {task for task, *_key in self.full}
        values: dict[str, Any] = {"tasks": [name for name in tasks if name not in full]}
        if walked := {task for task, *key in self.full if key}:
            keys = json.dumps([key[0] for _task, *key in self.full if key])
            values |= {"walked": list(walked), "full_keys": keys, "place": secrets.token_hex(2)}
        return values

    def startable(self, waiting: Iterable[Any]) -> list[Any]:
        """Return those of the rows of runs that could be running together, and with the ones that are."""
        counts, found = self.counts.copy(), []
        for row in waiting:
            counted = _counted(row, self.limits)
            if not counted or counts[counted] < self.limits[row.task].most:
                counts[counted] += 1
                found.append(row)
        return found


def limits_of(tasks: Mapping[str, RunOptions]) -> dict[str, Limit]:
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


def given_caps(by_role: Mapping[Role, int | None]) -> dict[str, int | None]:
    """Return the values for FULL_OWNERS and `most_running`: how many runs a user of each role may have running."""
    return {f"given_{role}_running": by_role.get(role) for role in Role}


def full_owners(session: Session, by_role: Mapping[Role, int | None]) -> Sequence[int]:
    """Return the owners who have as many runs running as they may have."""
    return session.scalars(FULL_OWNERS, given_caps(by_role)).all()


def most_running(owner_id: ColumnElement[int]) -> ColumnElement[int]:
    """Return the most runs of an owner that may be running, or -1."""
    return CAPPED.where(Person.id == owner_id).scalar_subquery().label("most_running")


def keep(connection: Connection, limits: Mapping[str, Limit], run: Run) -> None:
    """Keep a run that has been claimed within its limits. Raises Crowded if a claim at the same time was faster."""
    if connection.dialect.name != "postgresql":
        return
    counted, is_capped = _counted(run, limits), run.most_running >= 0
    locks = sorted([_number(*counted)] * bool(counted) + [_number("owner", str(run.owner_id))] * is_capped)
    if not locks:
        return
    connection.execute(LOCK, {"numbers": locks})
    if counted and taken(connection, {run.task: limits[run.task]}).counts[counted] > limits[run.task].most:
        raise Crowded
    if is_capped and (connection.scalar(RUNNING_OF_OWNER, {"owner": run.owner_id}) or 0) > run.most_running:
        raise Crowded


def _number(*words: str) -> int:
    return int.from_bytes(hashlib.sha256("\0".join(words).encode()).digest()[:8], signed=True)


def waiting_for(session: Session, run: Run, following: Run | None) -> list[int]:
    """Return the runs that may start because this one has left, by id, unless the following one has taken its place."""
    key = run.limit_key if not following or following.limit_key != run.limit_key else None
    stays = run.most_running < 0 or (following and following.owner_id == run.owner_id)
    found = (
        key and session.scalar(FIRST_OF_KEY, {"key": key}),
        None if stays else session.scalar(FIRST_OF_OWNER, {"owner": run.owner_id}),
    )
    return sorted({run_id for run_id in found if run_id})


def waiting_for_any(session: Session, run_ids: Collection[int], by_role: Mapping[Role, int | None]) -> list[int]:
    """Return the first runs, by id, that wait under a limit of one of these, which have left their worker."""
    left = session.execute(LIMITS_OF_RUNS, {"run_ids": list(run_ids), **given_caps(by_role)}).all()
    keys, owners = {row.limit_key for row in left if row.limit_key}, {row.owner_id for row in left if row.most >= 0}
    found = [session.scalar(FIRST_OF_KEY, {"key": key}) for key in sorted(keys)]
    found += [session.scalar(FIRST_OF_OWNER, {"owner": owner_id}) for owner_id in sorted(owners)]
    return sorted({run_id for run_id in found if run_id})


def _counted(row: Any, limits: Mapping[str, Limit]) -> tuple[str, ...]:
    """Return the words under which a run counts, or none."""
    if row.task not in limits:
        return ()
    return (row.task, row.limit_key or NO_KEY) if limits[row.task].has_keys else (row.task,)
