"""The record of stored files, as tests look into it and let time pass over it."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import IO, BinaryIO

from sqlalchemy import select

from jobs.runs.backend import Backend
from jobs.runs.file_cleanup import KEPT_SECONDS, FileCleanup
from jobs.runs.files import WRITE_SECONDS, FileRow, StrayObject
from jobs.storage.database import Database
from jobs.storage.s3_store import Bucket, connect
from jobs.storage.store import ObjectStore

AN_HOUR, A_DAY = KEPT_SECONDS + 1, WRITE_SECONDS + 1


class Hooked:
    """An object store that calls a function before or after it does something, once."""

    def __init__(self, objects: ObjectStore, **hooks: Callable[[], object]) -> None:
        self._objects = objects
        self._hooks = hooks

    def incoming(self) -> IO[bytes]:
        return self._objects.incoming()

    def write(self, name: str, file: IO[bytes]) -> None:
        self._call("before_write")
        self._objects.write(name, file)
        self._call("after_write")

    def open(self, name: str) -> BinaryIO:
        return self._objects.open(name)

    def delete(self, name: str) -> None:
        self._call("before_delete")
        self._objects.delete(name)
        self._call("after_delete")

    def tidy(self, seconds: float) -> None:
        self._objects.tidy(seconds)

    def _call(self, moment: str) -> None:
        if hook := self._hooks.pop(moment, None):
            hook()


def object_of(database: Database, sha256: str) -> str | None:
    """The name of the object that holds a file."""
    with database.read() as session:
        return session.scalar(select(FileRow.object_name).where(FileRow.sha256 == sha256))


def strays(database: Database) -> set[str]:
    with database.read() as session:
        return set(session.scalars(select(StrayObject.name)))


def lose(backend: Backend, sha256: str) -> None:
    """Delete a recorded file from the store."""
    backend.files.objects.delete(object_of(backend.database, sha256) or "")


def let_pass(database: Database, seconds: float) -> None:
    """Backdate everything recorded by this much."""
    with database.write() as session:
        for file in session.scalars(select(FileRow)):
            file.put_at -= timedelta(seconds=seconds)
        for stray in session.scalars(select(StrayObject)):
            stray.delete_at -= timedelta(seconds=seconds)


def sweep(backend: Backend) -> None:
    """Sweep all files, an hour after everything that has happened."""
    let_pass(backend.database, AN_HOUR)
    FileCleanup(backend.database, backend.files.objects).sweep()


def objects_in(folder: Path) -> list[Path]:
    """The objects in a local store, without temporary files."""
    return [path for path in folder.glob("[0-9a-f][0-9a-f]/*") if path.is_file()]


def hashes_in(backend: Backend) -> list[str]:
    """The hash of each object in the backend's store, whether it is a folder or a bucket."""
    settings = backend.settings
    if not settings.files_url:
        return [path.name.partition("-")[0] for path in objects_in(settings.files)]
    bucket = settings.files_url.removeprefix("s3://")
    found = connect(Bucket(bucket, endpoint=settings.aws_endpoint_url)).list_objects(bucket, recursive=True)
    return [str(one.object_name).split("/")[1] for one in found]
