"""File ownership: users own the files they upload and those of their runs."""

from collections.abc import Collection, Sequence

from sqlalchemy import func, select, union
from sqlalchemy.orm import Session

from jobs.authoring.file_parameters import files_in
from jobs.runs import people, run_files, uploads
from jobs.runs.files import protect
from jobs.runs.run import Run
from jobs.runs.run_files import RunFileRow
from jobs.runs.uploads import Upload
from jobs.storage.database import Database
from jobs.values.stored_file import RunFile


class NotKept(Exception):
    """A file that this user does not own, or that is no longer stored."""


class QuotaExceeded(Exception):
    """A user's files would exceed the storage quota."""


def sizes_of(session: Session, owner_id: int, wanted: Collection[str]) -> dict[str, int]:
    """Return the sizes in bytes, by SHA-256, of those wanted files that the user owns."""
    sent = select(Upload.sha256, Upload.size).where(Upload.owner_id == owner_id, Upload.sha256.in_(wanted))
    noted = select(RunFileRow.sha256, RunFileRow.size).join(Run, Run.id == RunFileRow.run_id)
    of_runs = noted.where(Run.owner_id == owner_id, RunFileRow.sha256.in_(wanted))
    return {sha256: size for query in (sent, of_runs) for sha256, size in session.execute(query)}


def used_bytes(session: Session, owner_id: int) -> int:
    """Return the total size of a user's files in bytes, counting the same content once."""
    sent = select(Upload.sha256, Upload.size).where(Upload.owner_id == owner_id)
    noted = select(RunFileRow.sha256, RunFileRow.size).where(RunFileRow.owner_id == owner_id)
    every = union(sent, noted).subquery()
    return int(session.scalar(select(func.coalesce(func.sum(every.c.size), 0))) or 0)


def note_uploads(database: Database, owner_id: int, files: Sequence[RunFile], most_bytes: int) -> None:
    """Record stored files as a user's uploads.

    Raises QuotaExceeded, recording none, if they exceed `most_bytes`, and NotKept if one has been deleted since.
    """
    with database.write() as session:
        # Serialise an owner's uploads: two concurrent ones would each see only their own files and both fit the quota,
        # or would insert the same content twice.
        people.in_turn(session, owner_id)
        wanted = {file.sha256 for file in files}
        if protect(session, wanted) != wanted:
            raise NotKept
        uploads.add(session, owner_id, files)
        session.flush()
        if used_bytes(session, owner_id) > most_bytes:
            raise QuotaExceeded


def attach(session: Session, run: Run) -> None:
    """Record the files in a new run's parameters, and their size, as the run's.

    Raises NotKept if the owner does not own one of them.
    """
    files = list(files_in(run.parameters))
    if not files:
        return
    wanted = {file.sha256 for file in files}
    protect(session, wanted)  # before looking: a file that is the owner's now stays until the run refers to it
    sizes = sizes_of(session, run.owner_id, wanted)
    if any(sizes.get(file.sha256) != file.size for file in files):
        raise NotKept
    run.input_bytes = sum(file.size for file in files)
    session.flush()
    run_files.add(session, run, [RunFile(file.sha256, file.size, file.name, file.media_type) for file in files])
