"""Which files are whose: a user has those that he has sent, and those of his runs."""

from collections.abc import Collection, Sequence

from sqlalchemy import func, select, union
from sqlalchemy.orm import Session

from jobs.authoring.file_parameters import files_in
from jobs.runs import people, run_files, uploads
from jobs.runs.run import Run
from jobs.runs.run_files import RunFileRow
from jobs.runs.uploads import Upload
from jobs.storage.database import Database
from jobs.values.stored_file import RunFile


class NotKept(Exception):
    """A file is not this user's, or not kept any more."""


class QuotaExceeded(Exception):
    """A user would have more files than he may."""


def sizes_of(session: Session, owner_id: int, wanted: Collection[str], hold: bool = False) -> dict[str, int]:
    """Of these files those that are the user's, with their sizes in bytes.

    With `hold`, in a transaction that writes, what he has sent stays his until that ends.
    """
    sent = select(Upload.sha256, Upload.size).where(Upload.owner_id == owner_id, Upload.sha256.in_(wanted))
    noted = select(RunFileRow.sha256, RunFileRow.size).join(Run, Run.id == RunFileRow.run_id)
    of_runs = noted.where(Run.owner_id == owner_id, RunFileRow.sha256.in_(wanted))
    return {
        sha256: size
        for query in (sent.with_for_update() if hold else sent, of_runs)
        for sha256, size in session.execute(query)
    }


def used_bytes(session: Session, owner_id: int) -> int:
    """How much all files of a user take, the same content counted once."""
    sent = select(Upload.sha256, Upload.size).where(Upload.owner_id == owner_id)
    noted = select(RunFileRow.sha256, RunFileRow.size).join(Run, Run.id == RunFileRow.run_id)
    every = union(sent, noted.where(Run.owner_id == owner_id)).subquery()
    return int(session.scalar(select(func.coalesce(func.sum(every.c.size), 0))) or 0)


def note_uploads(database: Database, owner_id: int, files: Sequence[RunFile], most_bytes: int) -> None:
    """Make files that are in the store a user's. Raises QuotaExceeded, and then none of them is."""
    with database.write() as session:
        # Two that came at once would each see its own alone, and both fit; and the same content cannot be noted twice.
        people.in_turn(session, owner_id)
        uploads.add(session, owner_id, files)
        session.flush()
        if used_bytes(session, owner_id) > most_bytes:
            raise QuotaExceeded


def attach(session: Session, run: Run) -> None:
    """Note the files of a new run's parameters as its own. Raises NotKept if one of them is not its owner's."""
    files = list(files_in(run.parameters))
    if not files:
        return
    sizes = sizes_of(session, run.owner_id, {file.sha256 for file in files}, hold=True)
    if any(sizes.get(file.sha256) != file.size for file in files):
        raise NotKept
    session.flush()
    run_files.add(session, run, [RunFile(file.sha256, file.size, file.name, file.media_type) for file in files])
