"""The file store: what is put there is named by its content, so the same is kept once and nobody can choose a name.

This one is a local folder. What is used of it, streams in and out by SHA-256, is what any store of objects offers too.
"""

import contextlib
import fcntl
import hashlib
import io
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

CHUNK_BYTES = 1024 * 1024
SHA256 = re.compile("[0-9a-f]{64}")
SHELVES = tuple(f"{number:02x}" for number in range(256))
NEW = "new"


class StoredFile(NamedTuple):
    """What the store has taken: the SHA-256 of its content in hexadecimal digits, and its size in bytes."""

    sha256: str
    size: int


class RunFile(NamedTuple):
    """A stored file as a run knows it."""

    sha256: str
    size: int
    name: str
    media_type: str


class FileStore:
    """Files at `<folder>/<first two digits>/<sha256>`; nothing is made before the first one is put."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, source: bytes | BinaryIO) -> StoredFile:
        """Keep what a stream holds from where it stands; it is on the disk, whole, when this returns."""
        stream = io.BytesIO(source) if isinstance(source, bytes) else source
        writer = self.begin()
        try:
            while chunk := stream.read(CHUNK_BYTES):
                writer.write(chunk)
            return writer.finish()
        finally:
            writer.discard()

    def begin(self) -> "FileWriter":
        """A new file, to be written piece by piece and finished, or discarded."""
        new = self._folder / NEW
        new.mkdir(parents=True, exist_ok=True, mode=0o700)
        return FileWriter(new, lambda path, sha256: self._move_in(path, self._path(sha256)))

    def open(self, sha256: str) -> BinaryIO:
        """A file to read, from any place on. Raises FileNotFoundError."""
        return self._path(sha256).open("rb")

    def delete(self, sha256: str, unless_younger_than: float = 0.0) -> None:
        """Delete a file, unless it was put within so many seconds; one that is not there is gone already."""
        with self._locked(), contextlib.suppress(FileNotFoundError):
            path = self._path(sha256)
            if _age(path) >= unless_younger_than:
                path.unlink()

    def older_than(self, seconds: float, shelf: str) -> list[str]:
        """Of the files whose name begins with the two digits of `shelf`, those last put so many seconds ago."""
        return [name for name in self._old(shelf, seconds) if SHA256.fullmatch(name)]

    def tidy(self, seconds: float) -> None:
        """Remove what was left by writers that ended so many seconds ago before their file was complete."""
        for name in self._old(NEW, seconds):
            (self._folder / NEW / name).unlink(missing_ok=True)

    def _path(self, sha256: str) -> Path:
        # The only way from a name to a path: nothing but a hash ever gets there.
        if not SHA256.fullmatch(sha256):
            raise FileNotFoundError("there is no such file")
        return self._folder / sha256[:2] / sha256

    def _move_in(self, new: Path, path: Path) -> None:
        with self._locked():
            if path.exists():
                os.utime(path)  # it counts as put now: whoever deletes old files looks once more, under the same lock
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
        """Have the moment in which a file is put, or found to be there, never meet that in which it is deleted."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self._folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


class FileWriter:
    """Takes a file piece by piece.

    It is written beside its place and moved there, so a crash leaves no half a file under a hash.
    """

    def __init__(self, folder: Path, move_in: Callable[[Path, str], None]) -> None:
        self._file = tempfile.NamedTemporaryFile(dir=folder, delete=False)  # noqa: SIM115  # closed by discard()
        self._move_in = move_in
        self._digest = hashlib.sha256()
        self.size = 0

    def write(self, chunk: bytes | bytearray) -> None:
        self._digest.update(chunk)
        self.size += self._file.write(chunk)

    def finish(self) -> StoredFile:
        """Keep what was written; it is on the disk, whole, when this returns."""
        self._file.flush()
        os.fsync(self._file.fileno())
        stored = StoredFile(self._digest.hexdigest(), self.size)
        self._move_in(Path(self._file.name), stored.sha256)
        self.discard()
        return stored

    def discard(self) -> None:
        """Leave nothing behind of a file that is not finished; of one that is, this does nothing."""
        self._file.close()
        Path(self._file.name).unlink(missing_ok=True)


def _age(path: Path) -> float:
    return time.time() - path.stat().st_mtime


def _make_durable(folder: Path) -> None:
    """Have the names in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
