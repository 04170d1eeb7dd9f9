"""Store runs' output in the database: batches of log lines and of partial results, the newest 1 MB of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, String, bindparam, delete, false, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from jobs.runs import run_files
from jobs.runs.files import protect
from jobs.runs.lease import LEASE_SECONDS, Change, renew_in
from jobs.runs.output_entries import LARGEST_BYTES, Batch, Entry, OutputKind
from jobs.runs.run import Run, State, run_key
from jobs.storage.database import Base, Database, PlainJson
from jobs.values.stored_file import RunFile


class OutputRow(Base):
    """A batch: its first entry's number, its entry count and size, and the total size of its kind up to its end.

    An unfinished batch holds lines without a line ending. Only a run's newest row can be replaced, and only by the
    attempt that stored it; once another row follows or the attempt ends, the row is final.
    """

    __tablename__ = "output"

    run_id: Mapped[int] = mapped_column(run_key("output"), primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(String(8), primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    count: Mapped[int]
    attempt: Mapped[int]
    bytes: Mapped[int]
    total_bytes: Mapped[int] = mapped_column(BigInteger)
    entries: Mapped[Any] = mapped_column(PlainJson)
    unfinished: Mapped[bool] = mapped_column(default=False, server_default=false())


@dataclass(frozen=True)
class StoredBatch:
    """A stored batch: consecutive entries of one attempt, numbered from `number` on.

    An unfinished batch may still change, and the numbers of its entries may be reused.
    """

    number: int
    attempt: int
    entries: Sequence[Entry]
    unfinished: bool = False

    @property
    def end(self) -> int:
        """The number after the last entry's."""
        return self.number + len(self.entries)


@dataclass(frozen=True)
class Output:
    """Batches of one kind at one version of the run, oldest first, and how many entries before the oldest were dropped.

    Only the last batch may be unfinished.
    """

    batches: Sequence[StoredBatch]
    dropped: int
    version: int

    @property
    def finished(self) -> Sequence[StoredBatch]:
        """The batches that can no longer change."""
        return [batch for batch in self.batches if not batch.unfinished]

    @property
    def unfinished(self) -> StoredBatch | None:
        """The batch of lines without a line ending, if any."""
        return self.batches[-1] if self.batches and self.batches[-1].unfinished else None


MINE = (OutputRow.run_id == bindparam("run")) & (OutputRow.kind == bindparam("kind"))
CHANGES = OutputRow.unfinished & (OutputRow.attempt == Run.attempt) & (Run.state == State.RUNNING)
READ = (
    select(
        Run.version,
        select(func.min(OutputRow.number)).where(MINE).correlate(None).scalar_subquery().label("oldest"),
        OutputRow.number,
        OutputRow.attempt,
        OutputRow.entries,
        CHANGES.label("unfinished"),
    )
    .outerjoin(OutputRow, MINE & (OutputRow.number > bindparam("after")))
    .where(Run.id == bindparam("run"))
    .order_by(OutputRow.number)
)


def store(  # noqa: PLR0913  # all that one transaction keeps of a run
    database: Database,
    run: Run,
    batches: Sequence[Batch],
    seconds: float = LEASE_SECONDS,
    files: Sequence[RunFile] = (),
    unfinished: Sequence[Entry] = (),
    replaces: bool = False,
) -> Change | None:
    """Store a run's output and record its stored files. Return None and store nothing if the run's lease is lost.

    `unfinished` are the log lines without a line ending, which follow all batches. With `replaces`, the unfinished
    lines stored last are deleted first, because they have grown, have become part of a batch, or are gone.
    """
    with database.write() as session:
        hold = renew_in(session, run, seconds)
        if hold is None:
            return None
        stored = protect(session, [file.sha256 for file in files]) if files else set()
        run_files.add(session, run, [file for file in files if file.sha256 in stored])
        if replaces:
            _drop_unfinished(session, run)
        for batch in batches:
            _append(session, run, batch)
        if unfinished:
            _append(
                session,
                run,
                Batch(OutputKind.LOG, unfinished, sum(entry.size for entry in unfinished)),
                unfinished=True,
            )
        return Change(run.id, run.owner_id, hold.version)


def read_output(database: Database, run_id: int, kind: OutputKind, after: int = 0) -> Output:
    """Return a run's stored output after the entry number `after`, the last number of a batch read before."""
    # One statement, so that everything belongs to one version of the run; a second could see a later state.
    with database.read() as session:
        rows = session.execute(READ, {"run": run_id, "kind": kind, "after": after}).all()
    batches = [
        StoredBatch(
            row.number, row.attempt, [Entry(*entry) for entry in row.entries], row.unfinished and row is rows[-1]
        )
        for row in rows
        if row.number is not None
    ]
    oldest, version = (rows[0].oldest, rows[0].version) if rows else (None, 0)
    return Output(batches, oldest - 1 if oldest else 0, version)


def _drop_unfinished(session: Session, run: Run) -> None:
    """Delete the newest lines if this attempt stored them as unfinished; what others follow was shown as it stays."""
    mine = (OutputRow.run_id == run.id) & (OutputRow.kind == OutputKind.LOG)
    newest = select(func.max(OutputRow.number)).where(mine).correlate(None).scalar_subquery()
    replaceable = OutputRow.unfinished & (OutputRow.attempt == run.attempt) & (OutputRow.number == newest)
    session.execute(delete(OutputRow).where(mine, replaceable).execution_options(synchronize_session=False))


def _append(session: Session, run: Run, batch: Batch, unfinished: bool = False) -> None:
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
        unfinished=unfinished,
    )
    session.add(row)
    session.flush()
    # Lines that may be gone again drop none: without any other, the numbers would begin anew.
    if row.total_bytes > LARGEST_BYTES and not unfinished:
        excess = row.total_bytes - LARGEST_BYTES
        # A batch goes as a whole, once any of it lies beyond the limit; the newest always stays.
        begins = OutputRow.total_bytes - OutputRow.bytes
        session.execute(delete(OutputRow).where(mine, begins < excess, OutputRow.number < row.number))
