"""The space that an owner's files take, and by what: by task, the runs with the most, and the largest uploads."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import delete, exists, select

from jobs.runs import audit
from jobs.runs.file_ownership import used_bytes
from jobs.runs.run import Run
from jobs.runs.run_files import RunFileRow
from jobs.runs.uploads import Upload
from jobs.runs.usage import used
from jobs.storage.database import Database

MOST_SHOWN = 10
MOST_SUMMED = 500


class TaskSpace(NamedTuple):
    task: str
    runs: int
    size: int


class RunSpace(NamedTuple):
    run_id: int
    task: str
    name: str
    size: int


@dataclass(frozen=True)
class Space:
    """The bytes of an owner's files, of what their runs keep in the database, and the largest parts.

    A file that several runs have is counted once in `files`, and with each of them in the parts. Runs and tasks are
    summed over the MOST_SUMMED largest files.
    """

    files: int
    kept: int
    tasks: Sequence[TaskSpace]
    runs: Sequence[RunSpace]
    uploads: Sequence[Upload]


def space_of(database: Database, owner_id: int) -> Space:
    """Return what an owner's files take."""
    mine = RunFileRow.owner_id == owner_id
    each = select(RunFileRow.run_id, RunFileRow.size).where(mine).order_by(RunFileRow.size.desc())
    of_run = exists().where(RunFileRow.owner_id == owner_id, RunFileRow.sha256 == Upload.sha256)
    uploads = select(Upload).where(Upload.owner_id == owner_id, ~of_run).order_by(Upload.size.desc())
    with database.read() as session:
        # Postgres would rather read all runs than look up those of a subquery.
        sizes = Counter[int]()
        for run_id, size in session.execute(each.limit(MOST_SUMMED)):
            sizes[run_id] += size
        runs = session.execute(select(Run.id, Run.task, Run.name).where(Run.id.in_(sizes)))
        largest = sorted((RunSpace(*row, sizes[row.id]) for row in runs), key=lambda one: (-one.size, one.run_id))
        return Space(
            used_bytes(session, owner_id),
            used(session, owner_id).kept_bytes,
            _by_task(largest),
            largest[:MOST_SHOWN],
            session.scalars(uploads.limit(MOST_SHOWN)).all(),
        )


def _by_task(runs: Sequence[RunSpace]) -> list[TaskSpace]:
    found: dict[str, TaskSpace] = {}
    for run in runs:
        before = found.get(run.task, TaskSpace(run.task, 0, 0))
        found[run.task] = TaskSpace(run.task, before.runs + 1, before.size + run.size)
    return sorted(found.values(), key=lambda one: -one.size)[:MOST_SHOWN]


def delete_upload(database: Database, owner_id: int, sha256: str) -> None:
    """Forget an upload; runs that use the file keep it. Repeating it has no effect."""
    mine = (Upload.owner_id == owner_id) & (Upload.sha256 == sha256)
    with database.write() as session:
        if session.execute(delete(Upload).where(mine).returning(Upload.name)).first():
            audit.note(session, "upload deleted", sha256)
