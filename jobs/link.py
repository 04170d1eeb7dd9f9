"""A running task's line to its worker: progress, output and checkpoints go out, and the request to stop comes in.

Files go to the store, and are read from it, here; the worker is told of each before anything that refers to it.
"""

import json
import threading
import time
from multiprocessing.connection import Connection
from typing import Any, BinaryIO, Protocol

from jobs.batch import Batch
from jobs.context import StopRun
from jobs.store import FileStore, RunFile, StoreAway, StoredFile

STOP, STARTED = 0, 1
FLAGS = 2
KEEP_SECONDS = 60.0
KEEP_AGAIN_SECONDS = 1.0


class Link(Protocol):
    """What `perform` needs of whoever had the task called."""

    def report(self, fraction: float | None, note: str) -> None: ...
    def put_out(self, batch: Batch) -> None: ...
    def save(self, value: Any) -> None: ...
    def keep(self, stream: BinaryIO, name: str, media_type: str) -> StoredFile: ...
    def open(self, sha256: str) -> BinaryIO: ...
    def stop_requested(self) -> bool: ...


class Flags(Protocol):
    """Bytes of memory that two processes share: whether the run is to stop, and whether the task has been reached."""

    def __getitem__(self, index: int, /) -> int: ...
    def __setitem__(self, index: int, value: int, /) -> None: ...


class PipeLink:
    """A link over the work-horse's pipe; whole messages, one at a time, as JSON."""

    def __init__(self, pipe: Connection, flags: Flags, files: FileStore) -> None:
        self._pipe = pipe
        self._flags = flags
        self._files = files
        self._sending = threading.Lock()
        self._saving = threading.Lock()

    def send(self, **message: Any) -> None:
        with self._sending:
            self._pipe.send_bytes(json.dumps(message).encode())

    def report(self, fraction: float | None, note: str) -> None:
        self.send(progress=[fraction, note])

    def put_out(self, batch: Batch) -> None:
        self.send(output=vars(batch))

    def save(self, value: Any) -> None:
        """Have a checkpoint, which is JSON, kept, and wait until it is.

        Raises StopRun when the run is not this worker's any more.
        """
        with self._saving:
            self.send(checkpoint=value)
            saved = json.loads(self._pipe.recv_bytes())
        if not saved or self.stop_requested():
            raise StopRun

    def keep(self, stream: BinaryIO, name: str, media_type: str) -> StoredFile:
        """Put a file into the store, and tell that this run has done so.

        A store that is away is waited for. Raises StoreAway after KEEP_SECONDS, and StopRun when the run is to end.
        """
        stored = self._put_patiently(stream)
        self.send(file=RunFile(*stored, name, media_type))
        return stored

    def open(self, sha256: str) -> BinaryIO:
        """A file of the run's parameters, to read. Raises FileNotFoundError."""
        return self._files.open(sha256)

    def _put_patiently(self, stream: BinaryIO) -> StoredFile:
        start, deadline = stream.tell(), time.monotonic() + KEEP_SECONDS
        while True:
            try:
                return self._files.put(stream)
            except StoreAway:
                if time.monotonic() > deadline:
                    raise
            if self.stop_requested():
                raise StopRun
            time.sleep(KEEP_AGAIN_SECONDS)
            stream.seek(start)

    def stop_requested(self) -> bool:
        return bool(self._flags[STOP])
