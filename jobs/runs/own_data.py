"""Everything that an owner has, read a little at a time: runs, and stored files, each content once."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from sqlalchemy import Select, and_, exists, null, select
from sqlalchemy.orm import aliased

from jobs.runs.run import Run, owned
from jobs.runs.run_files import RunFileRow
from jobs.runs.uploads import Upload
from jobs.storage.database import Database

AT_ONCE = 200


class OwnFile(NamedTuple):
    """A file, with the first run that has it and its name there; no run for an upload that no run has used."""

    sha256: str
    size: int
    name: str
    run_id: int | None


def runs_of(database: Database, owner_id: int) -> Iterator[Run]:
    """Yield an owner's runs, oldest first. Each is read by itself, because its result may be large."""
    after = 0
    while True:
        query = select(Run.id).where(Run.owner_id == owner_id, Run.id > after).order_by(Run.id).limit(AT_ONCE)
        with database.read() as session:
            run_ids = session.scalars(query).all()
        for after in run_ids:
            with database.read() as session:
                run = owned(session, owner_id, after)
            if run:
                yield run
        if len(run_ids) < AT_ONCE:
            return


def files_of_run(database: Database, run: Run) -> list[OwnFile]:
    """Return the files of a run, as `files_of` yields them."""
    its = select(RunFileRow.sha256).where(RunFileRow.run_id == run.id)
    with database.read() as session:
        return [OwnFile(*row) for row in session.execute(_first(run.owner_id).where(RunFileRow.sha256.in_(its)))]


def files_of(database: Database, owner_id: int) -> Iterator[OwnFile]:
    """Yield an owner's files, each content once."""
    of_run = exists().where(RunFileRow.owner_id == owner_id, RunFileRow.sha256 == Upload.sha256)
    sent = select(Upload.sha256, Upload.size, Upload.name, null()).where(Upload.owner_id == owner_id, ~of_run)
    for query, key in ((_first(owner_id), RunFileRow.sha256), (sent, Upload.sha256)):
        for row in _paged(database, query, key):
            yield OwnFile(*row)


def _first(owner_id: int) -> Select[str, int, str, int]:
    """Return a query for the first of an owner's runs that has each file."""
    earlier = aliased(RunFileRow)
    is_earlier = and_(
        earlier.owner_id == owner_id, earlier.sha256 == RunFileRow.sha256, earlier.run_id < RunFileRow.run_id
    )
    columns = (RunFileRow.sha256, RunFileRow.size, RunFileRow.name, RunFileRow.run_id)
    return select(*columns).where(RunFileRow.owner_id == owner_id, ~exists().where(is_earlier))


def _paged(database: Database, query: Select[*tuple[Any, ...]], key: Any) -> Iterator[Any]:
    after = ""
    while True:
        with database.read() as session:
            rows = session.execute(query.where(key > after).order_by(key).limit(AT_ONCE)).all()
        yield from rows
        if len(rows) < AT_ONCE:
            return
        after = rows[-1].sha256
