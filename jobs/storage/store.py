"""The file store: what is put there is named by its content, so the same is kept once and nobody can choose a name.

What holds the files is either a local folder or a service that speaks S3; who uses them cannot tell which.
"""

import hashlib
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import IO, BinaryIO, Protocol

from jobs.values.stored_file import StoredFile

CHUNK_BYTES = 1024 * 1024
SHA256 = re.compile("[0-9a-f]{64}")
PREFIXES = tuple(f"{number:02x}" for number in range(256))


class FileStore(Protocol):
    """Keeps files by the SHA-256 of what they hold. Every method may raise StoreAway."""

    def put(self, source: bytes | BinaryIO) -> StoredFile:
        """Keep what a stream holds from where it stands; it is stored, whole, when this returns."""

    def begin(self) -> "FileWriter":
        """A new file, to be written piece by piece and finished, or discarded."""

    def open(self, sha256: str) -> BinaryIO:
        """A file to read, from any place on. Raises FileNotFoundError."""

    def delete(self, sha256: str, unless_younger_than: float = 0.0) -> None:
        """Delete a file, unless it was put within so many seconds; one that is not there is gone already."""

    def older_than(self, seconds: float, prefix: str) -> list[str]:
        """Of the files whose name begins with the two digits of `prefix`, those last put so many seconds ago."""

    def tidy(self, seconds: float) -> None:
        """Remove what was left by writers that ended so many seconds ago before their file was complete."""


def put(store: FileStore, source: bytes | BinaryIO) -> StoredFile:
    """Put a stream into a store with a writer of its own."""
    stream, writer = io.BytesIO(source) if isinstance(source, bytes) else source, store.begin()
    try:
        while chunk := stream.read(CHUNK_BYTES):
            writer.write(chunk)
        return writer.finish()
    finally:
        writer.discard()


class FileWriter:
    """Takes a file piece by piece, in a local temporary file, and has it kept under its hash once it is whole.

    So a crash leaves no half a file under a hash; and an upload, which needs the hash for a name, is soon done.
    """

    def __init__(self, file: IO[bytes], keep: Callable[[IO[bytes], str], None]) -> None:
        self._file = file
        self._keep = keep
        self._digest = hashlib.sha256()
        self.size = 0

    def write(self, chunk: bytes | bytearray) -> None:
        self._digest.update(chunk)
        self.size += self._file.write(chunk)

    def finish(self) -> StoredFile:
        """Keep what was written; it is stored, whole, when this returns."""
        self._file.flush()
        stored = StoredFile(self._digest.hexdigest(), self.size)
        self._keep(self._file, stored.sha256)
        self.discard()
        return stored

    def discard(self) -> None:
        """Leave nothing behind of a file that is not finished; of one that is, this does nothing."""
        self._file.close()
        if isinstance(self._file.name, str):  # otherwise it never had a name, and is gone with this
            Path(self._file.name).unlink(missing_ok=True)
