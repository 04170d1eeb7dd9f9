"""Processes that store, refer to, forget and delete the same few files, and that may be killed at any moment."""

import os
import random
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import delete

from jobs.runs.file_cleanup import FileCleanup
from jobs.runs.file_ownership import NotKept, note_uploads
from jobs.runs.files import RecordedFiles
from jobs.runs.uploads import Upload
from jobs.storage.database import Database
from jobs.storage.local_store import LocalStore
from jobs.values.stored_file import RunFile
from tests.support.stored_files import Hooked

CONTENTS = [b"soup", b"bread", b"fish", b"cake"]
PLENTY = 10**9


def use(url: str, folder: str, owner_id: int) -> None:
    """Store files, refer to them, read what is referred to, and forget it, without end."""
    database = Database(url)
    files = RecordedFiles(LocalStore(Path(folder)), database)
    while True:
        content = random.choice(CONTENTS)
        file = RunFile(*files.put(content), "a.txt", "text/plain")
        try:
            note_uploads(database, owner_id, [file], PLENTY)
        except NotKept:
            continue  # nothing is kept without a reference here
        with files.open(file.sha256) as stream:
            assert stream.read() == content
        if random.random() < 0.5:
            with database.write() as session:
                session.execute(delete(Upload).where(Upload.owner_id == owner_id, Upload.sha256 == file.sha256))


def clean(url: str, folder: str) -> None:
    """Delete what nothing refers to at this moment, without end."""
    cleanup = FileCleanup(Database(url), LocalStore(Path(folder)), kept_seconds=0.0)
    while True:
        cleanup.sweep()


def main(action: str, moment: str, url: str, folder: str) -> None:
    """Put a file, or sweep, and die at a moment of it."""
    dies: dict[str, Callable[[], object]] = {moment: lambda: os.kill(os.getpid(), signal.SIGKILL)}
    objects, database = Hooked(LocalStore(Path(folder)), **dies), Database(url)
    if action == "put":
        RecordedFiles(objects, database).put(CONTENTS[0])
    else:
        FileCleanup(database, objects).sweep()


if __name__ == "__main__":
    main(*sys.argv[1:])
