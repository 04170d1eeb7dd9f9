"""Delete files that no run and no upload refers to any more."""

from collections.abc import Collection
from datetime import timedelta

from sqlalchemy import ColumnElement, delete, exists, select
from sqlalchemy.orm import Session

from jobs.runs.files import FileRow, StrayObject
from jobs.runs.run_files import RunFileRow
from jobs.runs.uploads import Upload
from jobs.storage.database import Database, utcnow
from jobs.storage.store import ObjectStore

# A file is stored before the row that refers to it is committed; until then it is kept for this long.
KEPT_SECONDS = 3600.0
MOST_FILES = 200  # a sweep looks at so many: at 100,000 files in all, each is looked at every 40 minutes
MOST_OBJECTS = 50

UNUSED = ~exists().where(RunFileRow.sha256 == FileRow.sha256) & ~exists().where(Upload.sha256 == FileRow.sha256)


class FileCleanup:
    """A walk through the record of files, a page at each sweep."""

    def __init__(self, database: Database, objects: ObjectStore, kept_seconds: float = KEPT_SECONDS) -> None:
        self._database = database
        self._objects = objects
        self._kept = timedelta(seconds=kept_seconds)
        self._after = ""

    def sweep(self) -> None:
        """Delete unused files of the next page, stray objects whose time has come, and what dead writers left."""
        if unused := self._unused():
            self._give_up(unused)
        self._delete_strays()
        self._objects.tidy(KEPT_SECONDS)

    def _unused(self) -> set[str]:
        with self._database.read() as session:
            further = FileRow.sha256 > self._after
            last = select(FileRow.sha256).where(further).order_by(FileRow.sha256).offset(MOST_FILES - 1).limit(1)
            self._after = session.scalar(last) or ""
            page = further & (FileRow.sha256 <= self._after) if self._after else further
            return set(session.scalars(select(FileRow.sha256).where(page, self._old(), UNUSED)))

    def _give_up(self, names: Collection[str]) -> None:
        """Turn files into stray objects, except those that are used or protected by now."""
        with self._database.write() as session:
            # Lock first and look then, with a second statement: on Postgres only that one sees every row that was
            # committed before the lock was granted. Whoever protects a file is about to commit such a row.
            locked = select(FileRow).where(FileRow.sha256.in_(names), self._old()).with_for_update(skip_locked=True)
            rows = {row.sha256: row for row in session.scalars(locked)}
            for name in _unused_among(session, rows, self._old()):
                session.add(StrayObject(name=rows[name].object_name))
                session.delete(rows[name])

    def _old(self) -> ColumnElement[bool]:
        return FileRow.put_at < utcnow() - self._kept

    def _delete_strays(self) -> None:
        due = select(StrayObject.name).where(StrayObject.delete_at < utcnow()).order_by(StrayObject.delete_at)
        with self._database.read() as session:
            names = session.scalars(due.limit(MOST_OBJECTS)).all()
        for name in names:
            self._objects.delete(name)
        if names:
            with self._database.change() as connection:
                connection.execute(delete(StrayObject).where(StrayObject.name.in_(names)))


def _unused_among(session: Session, names: Collection[str], old: ColumnElement[bool]) -> set[str]:
    return set(session.scalars(select(FileRow.sha256).where(FileRow.sha256.in_(names), old, UNUSED)))
