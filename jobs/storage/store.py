"""The file store, which names each file by its content: equal files are stored once, and nobody can choose a name.

The content of a file is an object in a local folder or in an S3 bucket. Both have the same interface.
"""

import hashlib
import io
import re
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, BinaryIO, Protocol

from jobs.values.stored_file import StoredFile

CHUNK_BYTES = 1024 * 1024
# The system's choice is up to a megabyte for each open file, and a form may have two hundred.
BUFFER_BYTES = 4096
NAME = re.compile("[0-9a-f]{2}/[0-9a-f]{64}(/[0-9a-f]{24})?")

Call = Callable[..., Any]


class ObjectStore(Protocol):
    """Objects by name (NAME). Every method may raise StoreAway."""

    def incoming(self) -> IO[bytes]:
        """Return a new temporary file that collects an object. The caller must close it, and delete it if named."""

    def write(self, name: str, file: IO[bytes]) -> None:
        """Store a temporary file as an object. The complete object is stored when this returns."""

    def open(self, name: str) -> BinaryIO:
        """Open an object as a seekable binary stream. Raises FileNotFoundError."""

    def delete(self, name: str) -> None:
        """Delete an object. Ignore a missing one."""

    def tidy(self, seconds: float) -> None:
        """Delete temporary files of crashed processes that were last written over `seconds` ago."""


def plain_name(sha256: str) -> str:
    """Return the name of an object that is named by its content alone."""
    return f"{sha256[:2]}/{sha256}"


def new_name(sha256: str) -> str:
    """Return a name that no object of this content has had or will have."""
    return f"{plain_name(sha256)}/{secrets.token_hex(12)}"


def directly(function: Call, *arguments: Any) -> Any:
    return function(*arguments)


class FileStore:
    """Files by the SHA-256 of their content, without a record of them. Every method may raise StoreAway."""

    def __init__(self, objects: ObjectStore) -> None:
        self.objects = objects

    def put(self, source: bytes | BinaryIO, call: Call = directly) -> StoredFile:
        """Store a stream from its current position to its end. The complete file is stored when this returns."""
        stream, writer = io.BytesIO(source) if isinstance(source, bytes) else source, self.begin(call)
        try:
            while chunk := stream.read(CHUNK_BYTES):
                writer.write(chunk)
            return writer.finish()
        finally:
            writer.discard()

    def begin(self, call: Call = directly) -> "FileWriter":
        """Return a writer for a new file. The caller must finish or discard it.

        Whatever may block on a disk or a network is called through `call`, for example in a thread.
        """
        return FileWriter(self.objects.incoming(), self._keep, call)

    def open(self, sha256: str) -> BinaryIO:
        """Open a file as a seekable binary stream. Raises FileNotFoundError."""
        return self.objects.open(plain_name(sha256))

    def _keep(self, file: IO[bytes], stored: StoredFile, call: Call) -> None:
        call(self.objects.write, plain_name(stored.sha256), file)


class FileWriter:
    """A writer that collects a file in a temporary file, and stores it when it is complete.

    A crash therefore never leaves a partial object. The hash, which is part of the object's name, is known before an
    upload to S3 starts.
    """

    def __init__(self, file: IO[bytes], keep: Callable[[IO[bytes], StoredFile, Call], None], call: Call) -> None:
        self._file = file
        self._keep = keep
        self._call = call
        self._digest = hashlib.sha256()
        self.size = 0

    def write(self, chunk: bytes | bytearray) -> None:
        self._call(self._write, chunk)

    def finish(self) -> StoredFile:
        """Store the written data and return the stored file. The complete file is stored when this returns."""
        self._call(self._file.flush)
        stored = StoredFile(self._digest.hexdigest(), self.size)
        self._keep(self._file, stored, self._call)
        self.discard()
        return stored

    def discard(self) -> None:
        """Delete the temporary file. Does nothing after `finish`."""
        self._file.close()
        if isinstance(self._file.name, str):  # a temporary file without a name is deleted by close()
            Path(self._file.name).unlink(missing_ok=True)

    def _write(self, chunk: bytes | bytearray) -> None:
        self._digest.update(chunk)
        self.size += self._file.write(chunk)
