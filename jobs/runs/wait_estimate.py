"""Estimate how a queued run waits: whose turn comes before (jobs.runs.turns), and when it may start."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from jobs.runs import heartbeats, pauses
from jobs.runs.durations import UNKNOWN_TASK_SECONDS, Past, past_runs, similar
from jobs.runs.heartbeats import Alive
from jobs.runs.lines import MOST_AHEAD, Line, Waiting, lines
from jobs.runs.pauses import Kind, Pause
from jobs.runs.run import Run, State
from jobs.runs.start_times import Interval, Work, start_times
from jobs.storage.database import Database, utcnow

# Built once, at import: building it takes longer than executing it, and a page with a queued run does so often.
RUNNING = select(Run.id, Run.task, Run.started_at, Run.input_bytes).where(Run.state == State.RUNNING).limit(MOST_AHEAD)


@dataclass(frozen=True)
class WaitEstimate:
    """For one queued run: the workers at work, its place among those that wait, and when it may start.

    With `pause`, it does not start before that ends, and nothing else is estimated. `position` is its place among the
    runs of its owner, `people` the number of others of whom a run starts before it, and `came_later` the number of
    those whose runs have come after it. `overtaken_by` are the owner's own runs that have come before it since it was
    queued: retries. `ahead` counts all runs that start before it; with `more` there are further ones, and it takes
    longer: no more than MOST_AHEAD are counted, and of many lines only their beginnings.

    `seconds` is None where no run of a task before it has ever succeeded, and while there is no worker. `has_task` is
    whether a worker has the run's task; None if that is unknown. `drained` is the latest pause of a worker if all that
    are alive are drained.
    """

    workers: int
    ahead: int = 0
    seconds: Interval | None = None
    has_task: bool | None = None
    more: bool = False
    pause: Pause | None = None
    position: int = 1
    people: int = 0
    came_later: int = 0
    overtaken_by: Sequence[int] = ()
    drained: Pause | None = None


class Turn(NamedTuple):
    """A run in the order in which runs start, with its line; None stands for the rest of a line that is not read."""

    vtime: float
    line: Line
    run: Waiting | None


@dataclass
class Place:
    """The runs that start before a run: their number, a lower bound if there are `more`, and their lines."""

    ahead: int = 0
    more: bool = False
    lines: Sequence[Line] = ()


def wait_estimates(database: Database, runs: Collection[Run]) -> Mapping[int, WaitEstimate]:
    """The wait_estimate of each run that waits for a worker or for the end of a pause, by its id."""
    queued = [run for run in runs if run.state is State.QUEUED]
    if not queued:
        return {}
    with database.read() as session:
        found = pauses.listed(session)
        paused = pauses.pauses_of(found, queued)
        alive = heartbeats.workers_alive(session)
        held = {run_id: WaitEstimate(alive.workers, pause=pause) for run_id, pause in paused.items()}
        waiting = [run for run in queued if run.due_at is None and run.id not in held]
        if not waiting:
            return held
        running = _running(session)
        in_line = lines(session, {run.owner_id for run in waiting}, found)
        in_order = [run for line in in_line for run in line.runs]
        tasks = {run.task for run in in_order} | {run.task for run in running}
        past = {task: past_runs(session.connection(), task) for task in tasks}
    order, wanted = _order(in_line, past), {run.id for run in waiting}
    places = _places(order, wanted)
    kinds = {_kind(run): similar(past[run.task], _size(run)) for run in (*in_order, *running)}
    known = [Work(turn.run.id, _kind(turn.run)) for turn in order if turn.run]
    at_work = [Work(run.id, _kind(run), _elapsed(run)) for run in running]
    starts = start_times(known, at_work, alive.workers, kinds, wanted)
    own = {line.owner_id: line.runs for line in in_line}
    drained = next((one for one in found if one.kind == Kind.WORKER), None) if alive.drained else None
    estimates = {run.id: _estimate(run, alive, places[run.id], own.get(run.owner_id, ())) for run in waiting}
    return held | {
        run_id: replace(one, seconds=starts.get(run_id), drained=drained) for run_id, one in estimates.items()
    }


def _running(session: Session) -> list[Waiting]:
    """Return the runs that are running, with the time of their start in the place of that of their queueing."""
    now = utcnow()
    return [
        Waiting(run_id, task, started_at or now, input_bytes)
        for run_id, task, started_at, input_bytes in session.connection().execute(RUNNING)
    ]


def _elapsed(run: Waiting) -> float:
    return max(0.0, (utcnow() - run.queued_at).total_seconds())


def _kind(run: Waiting) -> str:
    """Return the task and about the size of the input files: those of runs whose durations are compared."""
    return f"{run.task} {(run.input_bytes or 0).bit_length()}"


def _size(run: Waiting) -> int:
    """Return the middle of the sizes that are of the same kind."""
    return 3 * 2 ** ((run.input_bytes or 0).bit_length() - 1) // 2 if run.input_bytes else 0


def _order(found: Collection[Line], past: Mapping[str, Collection[Past]]) -> list[Turn]:
    """Return the runs of all lines in the order in which they start."""
    expected = {
        task: median(one.seconds for one in some) if some else UNKNOWN_TASK_SECONDS for task, some in past.items()
    }
    order = []
    for line in found:
        vtime = line.vtime
        for run in line.runs:
            order.append(Turn(vtime, line, run))
            vtime += (expected[run.task] or UNKNOWN_TASK_SECONDS) / line.weight
        if line.goes_on:
            order.append(Turn(vtime, line, None))
    return sorted(order, key=lambda turn: (turn.vtime, turn.line.since))


def _places(order: Collection[Turn], wanted: Collection[int]) -> Mapping[int, Place]:
    """Return what starts before each of the wanted runs."""
    ahead, more, seen = 0, False, dict[int, Line]()
    places = dict[int, Place]()
    for _vtime, line, run in order:
        if run is None:
            more = True
            continue
        if run.id in wanted:
            places[run.id] = Place(ahead, more, list(seen.values()))
        ahead += 1
        seen.setdefault(line.owner_id, line)
    beyond = Place(ahead, True, list(seen.values()))
    return {run_id: places.get(run_id, beyond) for run_id in wanted}


def _estimate(run: Run, alive: Alive, place: Place, own: Sequence[Waiting]) -> WaitEstimate:
    others = [line for line in place.lines if line.owner_id != run.owner_id]
    return WaitEstimate(
        alive.workers,
        min(place.ahead, MOST_AHEAD),
        has_task=run.task in alive.tasks if alive.workers and alive.tasks is not None else None,
        more=place.more or place.ahead > MOST_AHEAD,
        position=1 + sum(one.id < run.id for one in own),
        people=len(others),
        came_later=sum(line.since > run.id for line in others),
        overtaken_by=tuple(one.id for one in own if one.id < run.id and one.queued_at > run.queued_at),
    )
