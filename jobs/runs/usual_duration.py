"""Estimate how long a run usually takes, from the latest successes of its task with inputs of about the same size."""

from collections.abc import Sequence
from functools import cache
from statistics import quantiles
from typing import Any

from sqlalchemy import Select, bindparam, select

from jobs.runs.durations import FEWEST, RECENT, SIMILAR_SIZE, SUCCEEDED
from jobs.runs.run import Run
from jobs.runs.selection import is_postgres, newest_first
from jobs.storage.database import Database
from jobs.values.kept_file import KeptFile
from jobs.values.references import references_in

SIMILAR_DURATION = 4.0  # beyond this ratio, durations are too different to say what is usual


def usual_seconds(database: Database, run: Run) -> float | None:
    """Return the median duration of recent similar runs, or None if they are too few or differ too much.

    Runs are similar if they are of the same task, whoever owns them, and their input files have about the same size.
    """
    size = _file_bytes(run.parameters)
    with database.read() as session:
        successes = _successes(is_postgres(session), with_parameters=bool(size))
        rows = session.connection().execute(successes, {"given_task": run.task}).all()
    took = [
        max(0.0, (row.ended_at - row.started_at).total_seconds())
        for row in rows
        if row.started_at and row.ended_at and (not size or _is_similar(size, _file_bytes(row.parameters)))
    ]
    return _middle(took)


def _middle(took: Sequence[float]) -> float | None:
    if len(took) < FEWEST:
        return None
    low, middle, high = quantiles(took, n=4, method="inclusive")
    return middle if high <= SIMILAR_DURATION * max(low, 0.1) else None


def _is_similar(size: int, other: int) -> bool:
    return size / SIMILAR_SIZE <= other <= size * SIMILAR_SIZE


def _file_bytes(parameters: object) -> int:
    return sum(file.size for file in references_in(parameters) if isinstance(file, KeptFile))


@cache
def _successes(for_postgres: bool, with_parameters: bool) -> Select[Any]:
    columns = (Run.started_at, Run.ended_at, *((Run.parameters,) if with_parameters else ()))
    succeeded = select(*columns).where(SUCCEEDED)
    return newest_first(for_postgres, succeeded, {Run.task: bindparam("given_task", type_=Run.task.type)}).limit(RECENT)
