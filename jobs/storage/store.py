"""The file store, which names each file by its content: equal files are stored once, and nobody can choose a name.

The files are in a local folder or in an S3 bucket. Both have the same interface.
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
    """A store of files, each identified by the SHA-256 of its content. Every method may raise StoreAway."""

    def put(self, source: bytes | BinaryIO) -> StoredFile:
        """Store a stream from its current position to its end. The complete file is stored when this returns."""

    def begin(self) -> "FileWriter":
        """Return a writer for a new file. The caller must finish or discard it."""

    def open(self, sha256: str) -> BinaryIO:
        """Open a file as a seekable binary stream. Raises FileNotFoundError."""

    def delete(self, sha256: str, unless_younger_than: float = 0.0) -> None:
        """Delete a file unless it was stored within the last `unless_younger_than` seconds. Ignore a missing file."""

    def older_than(self, seconds: float, prefix: str) -> list[str]:
        """Return the hashes that start with the two digits of `prefix` and were last stored over `seconds` ago."""

    def tidy(self, seconds: float) -> None:
        """Delete incomplete files of crashed writers that were last written over `seconds` ago."""


def put(store: FileStore, source: bytes | BinaryIO) -> StoredFile:
    """Store a stream, or bytes, with a new writer."""
    stream, writer = io.BytesIO(source) if isinstance(source, bytes) else source, store.begin()
    try:
        while chunk := stream.read(CHUNK_BYTES):
            writer.write(chunk)
        return writer.finish()
    finally:
        writer.discard()


class FileWriter:
    """A writer that collects a file in a local temporary file, and stores it under its hash when it is complete.

    A crash therefore never leaves a partial file under a hash. The hash, which is the file's name, is known before an
    upload to S3 starts.
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
        """Store the written data and return the stored file. The complete file is stored when this returns."""
        self._file.flush()
        stored = StoredFile(self._digest.hexdigest(), self.size)
        self._keep(self._file, stored.sha256)
        self.discard()
        return stored

    def discard(self) -> None:
        """Delete the temporary file. Does nothing after `finish`."""
        self._file.close()
        if isinstance(self._file.name, str):  # a temporary file without a name is deleted by close()
            Path(self._file.name).unlink(missing_ok=True)
