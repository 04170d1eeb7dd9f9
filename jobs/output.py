"""What runs have put out, in the database: batches of lines and of partial results, the newest 1 MB of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, String, delete, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from jobs import run_files
from jobs.batch import LARGEST_BYTES, Batch, Entry, Kind
from jobs.db import Base, Database, PlainJson
from jobs.lease import LEASE_SECONDS, Change, renew_in
from jobs.runs import Run
from jobs.store import RunFile


class OutputRow(Base):
    """A batch: its first entry's number, how many it holds, their bytes, and all bytes of its kind up to its end."""

    __tablename__ = "output"

    run_id: Mapped[int] = mapped_column(
        ForeignKey("runs.id", name="fk_output_run", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    kind: Mapped[str] = mapped_column(String(8), primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    count: Mapped[int]
    attempt: Mapped[int]
    bytes: Mapped[int]
    total_bytes: Mapped[int] = mapped_column(BigInteger)
    entries: Mapped[Any] = mapped_column(PlainJson)


@dataclass(frozen=True)
class Stored:
    """A batch as it is kept: entries that follow each other, numbered from `number` on, of one attempt."""

    number: int
    attempt: int
    entries: Sequence[Entry]

    @property
    def end(self) -> int:
        """The number that follows its last one."""
        return self.number + len(self.entries)


@dataclass(frozen=True)
class Output:
    """Batches of one kind, oldest first, and how many entries before the oldest that is kept were dropped."""

    batches: Sequence[Stored]
    dropped: int


def store(
    database: Database,
    run: Run,
    batches: Sequence[Batch],
    seconds: float = LEASE_SECONDS,
    files: Sequence[RunFile] = (),
) -> Change | None:
    """Keep what a run has put out, and note which files it has stored; None when its lease is lost: then nothing is."""
    with database.write() as session:
        hold = renew_in(session, run, seconds)
        if hold is None:
            return None
        run_files.add(session, run, files)
        for batch in batches:
            _append(session, run, batch)
        return Change(run.id, run.owner_id, hold.version)


def read_output(database: Database, run_id: int, kind: Kind, after: int = 0) -> Output:
    """What a run has put out and is kept, from the number that follows `after` on, which ends a batch read before."""
    mine = (OutputRow.run_id == run_id) & (OutputRow.kind == kind)
    with database.read() as session:
        columns = select(OutputRow.number, OutputRow.attempt, OutputRow.entries)
        rows = session.execute(columns.where(mine, OutputRow.number > after).order_by(OutputRow.number)).all()
        oldest = session.scalar(select(func.min(OutputRow.number)).where(mine))
    batches = [Stored(row.number, row.attempt, [Entry(*entry) for entry in row.entries]) for row in rows]
    return Output(batches, oldest - 1 if oldest else 0)


def _append(session: Session, run: Run, batch: Batch) -> None:
    """Add a batch and drop the oldest ones beyond the limit; the lease's row keeps others from doing so meanwhile."""
    mine = (OutputRow.run_id == run.id) & (OutputRow.kind == batch.kind)
    newest = select(OutputRow.number + OutputRow.count, OutputRow.total_bytes).where(mine)
    end, before = session.execute(newest.order_by(OutputRow.number.desc()).limit(1)).first() or (1, 0)
    row = OutputRow(
        run_id=run.id,
        kind=batch.kind,
        number=end + batch.dropped,
        count=len(batch.entries),
        attempt=run.attempt,
        bytes=batch.size,
        total_bytes=before + batch.size,
        entries=batch.entries,
    )
    session.add(row)
    session.flush()
    if row.total_bytes > LARGEST_BYTES:
        excess = row.total_bytes - LARGEST_BYTES
        # A batch goes as a whole, once any of it lies beyond the limit; the newest always stays.
        begins = OutputRow.total_bytes - OutputRow.bytes
        session.execute(delete(OutputRow).where(mine, begins < excess, OutputRow.number < row.number))
