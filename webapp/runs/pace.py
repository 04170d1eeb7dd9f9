"""The pace of running runs: when they will probably end, and since when they have been slower than usual."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from flask import Flask, current_app

from jobs.runs import Run, usual_seconds
from jobs.storage import utcnow
from webapp.current import backend

# Progress says little about the remaining time before so much of it has been made, in so many seconds.
LEAST_PROGRESS, LEAST_SECONDS = 0.02, 1.0
SLOW, SLOW_SECONDS = 1.5, 2.0
MOST_REMEMBERED = 1000


@dataclass(frozen=True)
class Pace:
    """The probable end of a run, the duration of similar runs, and the moment from which it is slower than those.

    Each is None if it is unknown.
    """

    ends_at: datetime | None = None
    usual: float | None = None
    slow_from: datetime | None = None


@dataclass
class Memory:
    """The usual durations that this process has read, by run and attempt, so that progress causes no further reads."""

    usual: dict[tuple[int, int], float | None] = field(default_factory=dict)


def init_app(app: Flask) -> None:
    app.extensions["pace"] = Memory()
    app.jinja_env.filters.update(pace=pace)


def pace(run: Run) -> Pace:
    """Return the pace of a running run."""
    if run.started_at is None:
        return Pace()
    usual = _usual(run)
    slow = None if usual is None else run.started_at + timedelta(seconds=max(SLOW * usual, usual + SLOW_SECONDS))
    return Pace(_end(run, run.started_at, usual), usual, slow)


def _end(run: Run, started_at: datetime, usual: float | None) -> datetime | None:
    now = utcnow()
    seconds = (now - started_at).total_seconds()
    if run.progress and run.progress >= LEAST_PROGRESS and seconds >= LEAST_SECONDS:
        return now + timedelta(seconds=seconds * (1 - run.progress) / run.progress)
    if usual is None or usual <= seconds:
        return None
    return started_at + timedelta(seconds=usual)


def _usual(run: Run) -> float | None:
    memory: Memory = current_app.extensions["pace"]
    key = run.id, run.attempt
    if key not in memory.usual:
        if len(memory.usual) >= MOST_REMEMBERED:
            memory.usual.clear()
        memory.usual[key] = usual_seconds(backend().database, run)
    return memory.usual[key]
