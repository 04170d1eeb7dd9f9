"""The record of stored files: the database is the truth of what the file store holds.

A row in `files` says that an object with this content is stored, complete. A row in `stray_objects` names an object
that no row in `files` names: one that is being written, or one that is to be deleted. Its row is committed before the
object is created, and the sweeper deletes the object before the row. So a process may die at any point: each object is
named by one of the two tables, and none needs to be searched for in the store.

No name is used twice. Whoever deletes an object late, after the same content has been stored again, deletes only the
old object. Therefore no transaction has to stay open, and nobody has to wait, while an object is written or deleted.
"""

import contextlib
from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from typing import IO, BinaryIO

from sqlalchemy import BigInteger, Index, String, delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from jobs.runs.lease import CLOCKS_DIFFER_SECONDS
from jobs.storage.database import AWAY, Base, Database, UtcDateTime, utcnow
from jobs.storage.store import Call, FileStore, ObjectStore, new_name, plain_name
from jobs.values.stored_file import StoreAway, StoredFile

# The longest time that storing one object may take. Objects of processes that died are deleted afterwards.
WRITE_SECONDS = 24 * 3600.0


class FileRow(Base):
    """A stored file, the name of the object that holds it, and the time at which it was last put."""

    __tablename__ = "files"

    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    size: Mapped[int] = mapped_column(BigInteger)
    object_name: Mapped[str] = mapped_column(String(120))
    put_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)


class StrayObject(Base):
    """An object that no file names, and the time at which it is to be deleted."""

    __tablename__ = "stray_objects"
    __table_args__ = (Index("ix_stray_objects_delete", "delete_at"),)

    name: Mapped[str] = mapped_column(String(120), primary_key=True)
    delete_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)


def protect(session: Session, hashes: Collection[str]) -> set[str]:
    """Protect files from deletion until the transaction ends, and return those that are stored.

    Call it before committing a row that refers to a file. The sweeper locks a file's row, too, before it looks for
    such rows, so it either sees the new one or skips the file.
    """
    stored = select(FileRow.sha256).where(FileRow.sha256.in_(hashes)).with_for_update(read=True, key_share=True)
    return set(session.scalars(stored))


class RecordedFiles(FileStore):
    """A file store whose files are recorded in the database."""

    def __init__(self, objects: ObjectStore, database: Database) -> None:
        super().__init__(objects)
        self._database = database

    def open(self, sha256: str) -> BinaryIO:
        """Open a file as a seekable binary stream. Raises FileNotFoundError."""
        with _answering(), self._database.read() as session:
            name = session.scalar(select(FileRow.object_name).where(FileRow.sha256 == sha256))
        # A version without this table may have stored the file after the table was made.
        return self.objects.open(name or plain_name(sha256))

    def _keep(self, file: IO[bytes], stored: StoredFile, call: Call) -> None:
        name = new_name(stored.sha256)
        known = self._renew_or_announce(stored.sha256, name)
        if known and call(self._is_there, known):
            return
        if known:
            self._announce(name)
        call(self.objects.write, name, file)
        if not self._record(stored, name, instead_of=known):
            call(self.objects.delete, name)
            raise StoreAway("Storing the file took too long.")

    def _renew_or_announce(self, sha256: str, name: str) -> str | None:
        """Note that a file is put again, and return its object's name. If it is not stored, announce a new object."""
        again = update(FileRow).where(FileRow.sha256 == sha256).values(put_at=utcnow())
        with _answering(), self._database.write() as session:
            known = session.scalar(again.returning(FileRow.object_name))
            if known is None:
                session.add(_announced(name))
        return known

    def _is_there(self, name: str) -> bool:
        # The record is the truth, but a store can lose what it held. Storing a file again must help then.
        with contextlib.suppress(FileNotFoundError), self.objects.open(name):
            return True
        return False

    def _announce(self, name: str) -> None:
        with _answering(), self._database.write() as session:
            session.add(_announced(name))

    def _record(self, stored: StoredFile, name: str, instead_of: str | None) -> bool:
        """Make a written object the file's. Return False if it may already have been deleted as stray."""
        safely = StrayObject.delete_at > utcnow() + timedelta(seconds=CLOCKS_DIFFER_SECONDS)
        with contextlib.suppress(IntegrityError), _answering(), self._database.write() as session:
            row = session.get(FileRow, stored.sha256, with_for_update=True)
            if row and row.object_name != instead_of:  # stored by somebody else meanwhile: this object stays stray
                row.put_at = utcnow()
                return True
            ours = delete(StrayObject).where(StrayObject.name == name, safely).returning(StrayObject.name)
            if session.scalar(ours) is None:
                return False
            if row:
                session.add(StrayObject(name=row.object_name))
                row.object_name, row.put_at = name, utcnow()
            else:
                session.add(FileRow(sha256=stored.sha256, size=stored.size, object_name=name))
        return True  # also after an IntegrityError: somebody else has just inserted the file's row


def _announced(name: str) -> StrayObject:
    return StrayObject(name=name, delete_at=utcnow() + timedelta(seconds=WRITE_SECONDS))


@contextlib.contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except AWAY as error:
        raise StoreAway(f"The database is not responding ({type(error).__name__}).") from error
