"""Estimate how long a queued run waits: the number of runs ahead of it and their typical duration."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from statistics import median

from sqlalchemy import func, select, tuple_
from sqlalchemy.orm import Session

from jobs.runs import heartbeats
from jobs.runs.heartbeats import Alive
from jobs.runs.run import Run, State
from jobs.storage.database import Database

RECENT = 20


@dataclass(frozen=True)
class WaitEstimate:
    """For one queued run: the workers there are, the runs that wait before it, the seconds until it may start.

    `seconds` is None where no run of a task before it has ever succeeded, and while there is no worker. `has_task` is
    whether a worker has the run's task; None if that is unknown.
    """

    workers: int
    ahead: int
    seconds: float | None
    has_task: bool | None = None


def wait_estimates(database: Database, runs: Collection[Run]) -> Mapping[int, WaitEstimate]:
    """The wait_estimate of each run that waits for a worker, by its id."""
    waiting = [run for run in runs if run.state is State.QUEUED and run.due_at is None]
    if not waiting:
        return {}
    alive = heartbeats.workers_alive(database)
    with database.read() as session:
        ahead = _ahead(session, waiting)
        running = _running(session)
        tasks = set(running).union(*ahead.values())
        typical = {task: _typical_seconds(session, task) for task in tasks}
    return {run.id: _estimate(run, alive, ahead[run.id], running, typical) for run in waiting}


def _estimate(
    run: Run, alive: Alive, ahead: Counter[str], running: Mapping[str, int], typical: Mapping[str, float | None]
) -> WaitEstimate:
    seconds = _seconds(ahead, running, typical, alive.workers)
    has_task = run.task in alive.tasks if alive.workers and alive.tasks is not None else None
    return WaitEstimate(alive.workers, sum(ahead.values()), seconds, has_task)


def _ahead(session: Session, waiting: Collection[Run]) -> dict[int, Counter[str]]:
    """Count the runs of each task that wait ahead of each given run.

    Runs ahead of the first one are counted by the database, because the queue may be long and this is called whenever a
    page changes.
    """
    queued = select(Run.task).where(Run.state == State.QUEUED, Run.due_at.is_(None))
    first, last = min(map(_place, waiting)), max(map(_place, waiting))
    place = tuple_(Run.queued_at, Run.id)
    counted = queued.add_columns(func.count()).where(place < first).group_by(Run.task)
    before = Counter({task: count for task, count in session.execute(counted)})
    line = queued.add_columns(Run.id).where(place >= first, place <= last).order_by(Run.queued_at, Run.id)
    found: dict[int, Counter[str]] = {run.id: Counter() for run in waiting}
    for task, run_id in session.execute(line):
        if run_id in found:
            found[run_id] = before.copy()
        before[task] += 1
    return found


def _place(run: Run) -> tuple[datetime, int]:
    return run.queued_at, run.id


def _running(session: Session) -> dict[str, int]:
    counted = select(Run.task, func.count()).where(Run.state == State.RUNNING).group_by(Run.task)
    return {task: count for task, count in session.execute(counted)}


def _typical_seconds(session: Session, task: str) -> float | None:
    """The median of how long the task's latest successes took."""
    recent = select(Run.started_at, Run.ended_at).where(Run.task == task, Run.state == State.SUCCEEDED)
    rows = session.execute(recent.order_by(Run.id.desc()).limit(RECENT)).all()
    took = [(row.ended_at - row.started_at).total_seconds() for row in rows if row.started_at and row.ended_at]
    return max(0.0, median(took)) if took else None


def _seconds(
    ahead: Mapping[str, int], running: Mapping[str, int], typical: Mapping[str, float | None], workers: int
) -> float | None:
    """Runs that wait take their typical time and those that run half of it, shared by all workers."""
    if not workers:
        return None
    busy = sum(running.values()) >= workers
    shares = [*ahead.items(), *((task, count / 2) for task, count in running.items() if busy)]
    known = [seconds * count for task, count in shares if (seconds := typical[task]) is not None]
    return sum(known) / workers if len(known) == len(shares) else None
