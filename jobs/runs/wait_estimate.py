"""Estimate how long a queued run waits: the number of runs ahead of it and their typical duration."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from statistics import median

from sqlalchemy import Select, bindparam, func, select, tuple_
from sqlalchemy.orm import Session

from jobs.runs import heartbeats, pauses
from jobs.runs.heartbeats import Alive
from jobs.runs.pauses import Pause, not_paused
from jobs.runs.run import Run, RunId, State
from jobs.runs.selection import is_postgres, newest_first
from jobs.storage.database import Database, UtcDateTime

RECENT = 20
MOST_AHEAD = 1000  # the queue may be longer, and this is called whenever a page changes
SUCCEEDED = Run.state == bindparam(None, State.SUCCEEDED, literal_execute=True)

# Built once, at import: building them takes longer than executing them, and a page with a queued run does so often.
LINE = (
    select(Run.task, Run.id)
    .where(
        Run.state == State.QUEUED,
        Run.due_at.is_(None),
        tuple_(Run.queued_at, Run.id) <= tuple_(bindparam("until", type_=UtcDateTime), bindparam("last", type_=RunId)),
    )
    .order_by(Run.due_at, Run.queued_at, Run.id)
    .limit(MOST_AHEAD + 1)
)
LINE_BESIDE_PAUSES = LINE.where(not_paused())
RUNNING = select(Run.task, func.count()).where(Run.state == State.RUNNING).group_by(Run.task)


@dataclass(frozen=True)
class WaitEstimate:
    """For one queued run: the workers there are, the runs that wait before it, the seconds until it may start.

    With `pause`, it does not start before that ends, and nothing else is estimated.

    `seconds` is None where no run of a task before it has ever succeeded, and while there is no worker. `has_task` is
    whether a worker has the run's task; None if that is unknown. With `more`, further runs wait before it, and it takes
    longer: no more than MOST_AHEAD are counted.
    """

    workers: int
    ahead: int
    seconds: float | None
    has_task: bool | None = None
    more: bool = False
    pause: Pause | None = None


def wait_estimates(database: Database, runs: Collection[Run]) -> Mapping[int, WaitEstimate]:
    """The wait_estimate of each run that waits for a worker or for the end of a pause, by its id."""
    queued = [run for run in runs if run.state is State.QUEUED]
    if not queued:
        return {}
    with database.read() as session:
        found = pauses.listed(session)
        paused = pauses.pauses_of(found, queued)
        alive = heartbeats.workers_alive(session)
        held = {run_id: WaitEstimate(alive.workers, 0, None, pause=pause) for run_id, pause in paused.items()}
        waiting = [run for run in queued if run.due_at is None and run.id not in held]
        if not waiting:
            return held
        ahead = _ahead(session, waiting, LINE_BESIDE_PAUSES if found else LINE)
        running = _running(session)
        tasks = set(running).union(*ahead.values())
        typical = {task: _typical_seconds(session, task) for task in tasks}
    return held | {run.id: _estimate(run, alive, ahead[run.id], running, typical) for run in waiting}


def _estimate(
    run: Run, alive: Alive, ahead: Counter[str], running: Mapping[str, int], typical: Mapping[str, float | None]
) -> WaitEstimate:
    seconds = _seconds(ahead, running, typical, alive.workers)
    has_task = run.task in alive.tasks if alive.workers and alive.tasks is not None else None
    count = ahead.total()
    return WaitEstimate(alive.workers, min(count, MOST_AHEAD), seconds, has_task, count > MOST_AHEAD)


def _ahead(session: Session, waiting: Collection[Run], query: Select[str, int]) -> dict[int, Counter[str]]:
    """Count the runs of each task that wait ahead of each given run."""
    until, last = max((run.queued_at, run.id) for run in waiting)
    line = session.connection().execute(query, {"until": until, "last": last}).all()
    before, found = Counter[str](), {}
    wanted = {run.id for run in waiting}
    for task, run_id in line:
        if run_id in wanted:
            found[run_id] = before.copy()
        before[task] += 1
    further = before if len(line) > MOST_AHEAD else Counter[str]()
    return {run_id: found.get(run_id, further) for run_id in wanted}


def _running(session: Session) -> dict[str, int]:
    return {task: count for task, count in session.connection().execute(RUNNING)}


def _typical_seconds(session: Session, task: str) -> float | None:
    """The median of how long the task's latest successes took."""
    rows = session.connection().execute(_successes(is_postgres(session)), {"given_task": task}).all()
    took = [(row.ended_at - row.started_at).total_seconds() for row in rows if row.started_at and row.ended_at]
    return max(0.0, median(took)) if took else None


@cache
def _successes(for_postgres: bool) -> Select[datetime | None, datetime | None]:
    succeeded = select(Run.started_at, Run.ended_at).where(SUCCEEDED)
    return newest_first(for_postgres, succeeded, {Run.task: bindparam("given_task", type_=Run.task.type)}).limit(RECENT)


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
