"""The file store in a local folder, which workers and web servers on several machines can share."""

import contextlib
import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, BinaryIO

from jobs.storage.store import SHA256, FileWriter, put
from jobs.values.stored_file import StoredFile

NEW = "new"


class LocalStore:
    """A store of files at `<folder>/<first two digits>/<sha256>`. The first write creates the folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, source: bytes | BinaryIO) -> StoredFile:
        """Store a stream from its current position to its end. The complete file is on disk when this returns."""
        return put(self, source)

    def begin(self) -> "FileWriter":
        """Return a writer for a new file. The caller must finish or discard it."""
        new = self._folder / NEW
        new.mkdir(parents=True, exist_ok=True, mode=0o700)
        return FileWriter(tempfile.NamedTemporaryFile(dir=new, delete=False), self._keep)  # the writer closes it

    def open(self, sha256: str) -> BinaryIO:
        """Open a file as a seekable binary stream. Raises FileNotFoundError."""
        return self._path(sha256).open("rb")

    def delete(self, sha256: str, unless_younger_than: float = 0.0) -> None:
        """Delete a file unless it was stored within the last `unless_younger_than` seconds. Ignore a missing file."""
        with self._locked(), contextlib.suppress(FileNotFoundError):
            path = self._path(sha256)
            if _age(path) >= unless_younger_than:
                path.unlink()

    def older_than(self, seconds: float, prefix: str) -> list[str]:
        """Return the hashes that start with the two digits of `prefix` and were last stored over `seconds` ago."""
        return [name for name in self._old(prefix, seconds) if SHA256.fullmatch(name)]

    def tidy(self, seconds: float) -> None:
        """Delete incomplete files of crashed writers that were last written over `seconds` ago."""
        for name in self._old(NEW, seconds):
            (self._folder / NEW / name).unlink(missing_ok=True)

    def _path(self, sha256: str) -> Path:
        # Security: every path is built here, and only from a valid hash, so that no name can escape the folder.
        if not SHA256.fullmatch(sha256):
            raise FileNotFoundError("there is no such file")
        return self._folder / sha256[:2] / sha256

    def _keep(self, file: IO[bytes], sha256: str) -> None:
        os.fsync(file.fileno())
        self._move_in(Path(file.name), self._path(sha256))

    def _move_in(self, new: Path, path: Path) -> None:
        with self._locked():
            if path.exists():
                os.utime(path)  # now counts as newly stored: `delete` checks the age under the same lock
                return
            path.parent.mkdir(exist_ok=True, mode=0o700)
            new.replace(path)
        for folder in (path.parent, self._folder):
            _make_durable(folder)

    def _old(self, folder: str, seconds: float) -> Iterator[str]:
        try:
            names = os.listdir(self._folder / folder)
        except FileNotFoundError:
            return
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                if _age(self._folder / folder / name) >= seconds:
                    yield name

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the lock of the store, so that storing a file, or finding it stored, never races with its deletion."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self._folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _age(path: Path) -> float:
    return time.time() - path.stat().st_mtime


def _make_durable(folder: Path) -> None:
    """Sync a folder to disk, so that its entries survive a power failure."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
