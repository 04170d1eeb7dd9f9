"""Objects in a local folder, which workers and web servers on several machines can share."""

import contextlib
import os
import tempfile
import time
from pathlib import Path
from typing import IO, BinaryIO

from jobs.storage.store import BUFFER_BYTES, NAME

NEW = "new"


class LocalStore:
    """Objects at `<folder>/<first two digits>/<sha256>-<token>`. The first write creates the folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def incoming(self) -> IO[bytes]:
        """Return a new temporary file in the same file system, so that it can be moved into place."""
        new = self._folder / NEW
        new.mkdir(parents=True, exist_ok=True, mode=0o700)
        return tempfile.NamedTemporaryFile(dir=new, delete=False, buffering=BUFFER_BYTES)

    def write(self, name: str, file: IO[bytes]) -> None:
        """Move a temporary file into place. The complete object is on disk when this returns."""
        os.fsync(file.fileno())
        path = self._path(name)
        path.parent.mkdir(exist_ok=True, mode=0o700)
        Path(file.name).replace(path)
        for folder in (path.parent, self._folder):
            _make_durable(folder)

    def open(self, name: str) -> BinaryIO:
        """Open an object as a seekable binary stream. Raises FileNotFoundError."""
        return self._path(name).open("rb")

    def delete(self, name: str) -> None:
        """Delete an object. Ignore a missing one."""
        self._path(name).unlink(missing_ok=True)

    def tidy(self, seconds: float) -> None:
        """Delete temporary files of crashed writers that were last written over `seconds` ago."""
        for path in (self._folder / NEW).glob("*"):
            with contextlib.suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime >= seconds:
                    path.unlink()

    def _path(self, name: str) -> Path:
        # Security: every path is built here, and only from a valid name, so that none can escape the folder.
        if not NAME.fullmatch(name):
            raise FileNotFoundError("there is no such file")
        shelf, _, rest = name.partition("/")
        return self._folder / shelf / rest.replace("/", "-")


def _make_durable(folder: Path) -> None:
    """Sync a folder to disk, so that its entries survive a power failure."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
