"""Estimate how long a queued run waits: the runs whose turn comes before (jobs.runs.turns), and how long they take."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from operator import itemgetter

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from jobs.runs import heartbeats, pauses
from jobs.runs.durations import UNKNOWN_TASK_SECONDS, typical_seconds
from jobs.runs.heartbeats import Alive
from jobs.runs.lines import MOST_AHEAD, Line, lines
from jobs.runs.pauses import Pause
from jobs.runs.run import Run, State
from jobs.storage.database import Database

NO_RUN = 0
# Built once, at import: building it takes longer than executing it, and a page with a queued run does so often.
RUNNING = select(Run.task, func.count()).where(Run.state == State.RUNNING).group_by(Run.task)


@dataclass(frozen=True)
class WaitEstimate:
    """For one queued run: the workers there are, the runs that wait before it, the seconds until it may start.

    With `pause`, it does not start before that ends, and nothing else is estimated.

    `seconds` is None where no run of a task before it has ever succeeded, and while there is no worker. `has_task` is
    whether a worker has the run's task; None if that is unknown. With `more`, further runs wait before it, and it takes
    longer: no more than MOST_AHEAD are counted, and of many lines only their beginnings.
    """

    workers: int
    ahead: int
    seconds: float | None
    has_task: bool | None = None
    more: bool = False
    pause: Pause | None = None


@dataclass(frozen=True)
class Ahead:
    """The number of runs of each task that start before a run; a lower bound if there are `more`."""

    runs: Counter[str] = field(default_factory=Counter)
    more: bool = False


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
        running = _running(session)
        in_line = lines(session, {run.owner_id for run in waiting}, found)
        tasks = set(running).union(task for line in in_line for _run_id, task in line.runs)
        typical = {task: typical_seconds(session.connection(), task) for task in tasks}
    ahead = _ahead(in_line, {run.id for run in waiting}, typical)
    return held | {run.id: _estimate(run, alive, ahead[run.id], running, typical) for run in waiting}


def _estimate(
    run: Run, alive: Alive, ahead: Ahead, running: Mapping[str, int], typical: Mapping[str, float | None]
) -> WaitEstimate:
    seconds = _seconds(ahead.runs, running, typical, alive.workers)
    has_task = run.task in alive.tasks if alive.workers and alive.tasks is not None else None
    count = ahead.runs.total()
    return WaitEstimate(alive.workers, min(count, MOST_AHEAD), seconds, has_task, ahead.more or count > MOST_AHEAD)


def _ahead(found: Collection[Line], wanted: Collection[int], typical: Mapping[str, float | None]) -> dict[int, Ahead]:
    """Count the runs whose turn comes before that of each wanted run."""
    order = []
    for line in found:
        vtime = line.vtime
        for run_id, task in line.runs:
            order.append((vtime, line.since, run_id, task))
            vtime += (typical[task] or UNKNOWN_TASK_SECONDS) / line.weight
        if line.goes_on:
            order.append((vtime, line.since, NO_RUN, ""))
    before, ahead = Ahead(), dict[int, Ahead]()
    for _vtime, _since, run_id, task in sorted(order, key=itemgetter(0, 1)):
        if run_id == NO_RUN:
            before = replace(before, more=True)
            continue
        if run_id in wanted:
            ahead[run_id] = replace(before, runs=before.runs.copy())
        before.runs[task] += 1
    beyond = replace(before, more=True)
    return {run_id: ahead.get(run_id, beyond) for run_id in wanted}


def _running(session: Session) -> dict[str, int]:
    return {task: count for task, count in session.connection().execute(RUNNING)}


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
