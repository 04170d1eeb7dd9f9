"""Typical durations of tasks, from their latest successful runs."""

import time
from collections.abc import Collection
from datetime import datetime
from functools import cache
from statistics import median
from typing import NamedTuple

from sqlalchemy import Connection, Select, bindparam, select

from jobs.runs.run import Run, State
from jobs.runs.selection import newest_first

RECENT = 20
LOOK_AGAIN_SECONDS = 60.0
UNKNOWN_TASK_SECONDS = 1.0
SUCCEEDED = Run.state == bindparam(None, State.SUCCEEDED, literal_execute=True)


# Fewer durations say nothing, and beyond this ratio, inputs count as differing in size.
FEWEST, SIMILAR_SIZE = 3, 2.0


class Past(NamedTuple):
    """A past run: the seconds that it took, and the size of its input files."""

    seconds: float
    input_bytes: int


class Durations:
    """The typical duration of each task, as this process last read it."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, float]] = {}

    def expected(self, connection: Connection, task: str) -> float:
        """Return how many seconds a run of this task is expected to take."""
        seconds, until = self._known.get(task, (0.0, 0.0))
        if time.monotonic() < until:
            return seconds
        found = typical_seconds(connection, task)
        if found is None:
            return UNKNOWN_TASK_SECONDS
        self._known[task] = (found, time.monotonic() + LOOK_AGAIN_SECONDS)
        return found


def typical_seconds(connection: Connection, task: str) -> float | None:
    """Return the median of how long the task's latest successes took, or None if there is none."""
    took = [one.seconds for one in past_runs(connection, task)]
    return median(took) if took else None


def past_runs(connection: Connection, task: str) -> list[Past]:
    """Return the task's latest successes."""
    query = _successes(connection.dialect.name == "postgresql")
    rows = connection.execute(query, {"given_task": task}).all()
    return [
        Past(max(0.0, (row.ended_at - row.started_at).total_seconds()), row.input_bytes or 0)
        for row in rows
        if row.started_at and row.ended_at
    ]


def similar(past: Collection[Past], size: int) -> list[float]:
    """Return how long those took whose input files have about this size, or all of them if those are too few."""
    alike = [one.seconds for one in past if size / SIMILAR_SIZE <= one.input_bytes <= size * SIMILAR_SIZE]
    return alike if size and len(alike) >= FEWEST else [one.seconds for one in past]


@cache
def _successes(for_postgres: bool) -> Select[datetime | None, datetime | None, int | None]:
    succeeded = select(Run.started_at, Run.ended_at, Run.input_bytes).where(SUCCEEDED)
    return newest_first(for_postgres, succeeded, {Run.task: bindparam("given_task", type_=Run.task.type)}).limit(RECENT)
