"""Record which files a run has stored. A stored file is shown to a run's owner only if it is recorded here."""

from collections.abc import Collection, Sequence

from sqlalchemy import BigInteger, Index, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from jobs.runs.run import Run, run_key
from jobs.storage.database import Base, Database
from jobs.values.references import references_in
from jobs.values.stored_file import RunFile


class RunFileRow(Base):
    __tablename__ = "run_files"
    __table_args__ = (
        Index("ix_run_files_sha256", "sha256"),
        Index("ix_run_files_owner", "owner_id", "sha256", "size"),
        Index("ix_run_files_size", "owner_id", "size"),
    )

    run_id: Mapped[int] = mapped_column(run_key("run_files"), primary_key=True, autoincrement=False)
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    # The run's owner, once more: an owner's files could otherwise be found only by reading all of the owner's runs.
    owner_id: Mapped[int] = mapped_column(server_default="0")
    size: Mapped[int] = mapped_column(BigInteger)
    name: Mapped[str] = mapped_column(String(200))
    media_type: Mapped[str] = mapped_column(String(100))


def add(session: Session, run: Run, files: Sequence[RunFile]) -> None:
    """Note files that a run has stored, in a transaction of its lease's holder; one that is noted stays as it is."""
    new = {file.sha256: file for file in reversed(files)}
    for sha256 in _known(session, new, run.id):
        del new[sha256]
    session.add_all(RunFileRow(run_id=run.id, owner_id=run.owner_id, **file._asdict()) for file in new.values())


def owned_file(session: Session, owner_id: int, run_id: int, sha256: str) -> RunFile | None:
    """Return a file if this owner's run has stored it, else None."""
    query = select(RunFileRow).join(Run, Run.id == RunFileRow.run_id)
    row = session.scalar(query.where(Run.id == run_id, Run.owner_id == owner_id, RunFileRow.sha256 == sha256))
    return RunFile(row.sha256, row.size, row.name, row.media_type) if row else None


def stored_in(database: Database, run_id: int, value: object) -> frozenset[str]:
    """The files, by SHA-256, that a kept value refers to anywhere within it and that this run has stored.

    A task may put out anything that its user gave it: what only looks like a reference is a value like any other.
    """
    wanted = {reference.sha256 for reference in references_in(value)}
    if not wanted:
        return frozenset()
    with database.read() as session:
        return frozenset(_known(session, wanted, run_id))


def _known(session: Session, wanted: Collection[str], run_id: int) -> set[str]:
    """Return which of these files are recorded for the run."""
    noted = select(RunFileRow.sha256).where(RunFileRow.run_id == run_id, RunFileRow.sha256.in_(wanted))
    return set(session.scalars(noted))
