"""Functions called as tasks are, in this process, with everything heard that they put out."""

import hashlib
from collections.abc import Callable
from typing import Any, BinaryIO

from jobs import task
from jobs.batch import Batch, Kind
from jobs.catalog import Catalog
from jobs.outcome import Outcome
from jobs.perform import Order, perform
from jobs.store import FileStore, StoredFile
from jobs.task import Task


class Heard:
    """A link that keeps what it is sent."""

    def __init__(self, stop: bool = False, store: FileStore | None = None) -> None:
        self.batches: list[Batch] = []
        self.files: list[bytes] = []
        self.stop = stop
        self._store = store

    def put_out(self, batch: Batch) -> None:
        self.batches.append(batch)

    def report(self, fraction: float | None, note: str) -> None: ...
    def save(self, value: Any) -> None: ...

    def keep(self, stream: BinaryIO, name: str, media_type: str) -> StoredFile:
        self.files.append(stream.read())
        return StoredFile(hashlib.sha256(self.files[-1]).hexdigest(), len(self.files[-1]))

    def open(self, sha256: str) -> BinaryIO:
        assert self._store is not None, "this test has no files"
        return self._store.open(sha256)

    def stop_requested(self) -> bool:
        return self.stop

    @property
    def lines(self) -> list[tuple[str, str]]:
        return [(e.source, e.content) for batch in self.batches if batch.kind is Kind.LOG for e in batch.entries]

    @property
    def values(self) -> list[Any]:
        return [e.content for batch in self.batches if batch.kind is Kind.EMITTED for e in batch.entries]


def called(function: Callable[..., Any], link: Heard | None = None) -> tuple[Outcome, Heard]:
    """Call a function as a task."""
    link = link or Heard()
    registered: Task = task(function).__dict__["__task__"]
    return perform(Catalog({registered.name: registered}), Order(registered.name), link), link
