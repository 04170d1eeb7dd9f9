"""Runs a task in the process at hand, for its developer: no queue, no worker, and nothing is kept."""

from collections.abc import Mapping
from typing import Any, BinaryIO, Protocol

from pydantic import BaseModel

from jobs.batch import Batch, Entry, Kind
from jobs.catalog import Catalog
from jobs.context import StopRun, User
from jobs.outcome import Failure, Outcome
from jobs.perform import Order, perform
from jobs.sealed import UnsealedSecret, kept, reference_to, tokens_in
from jobs.store import FileStore, StoredFile
from jobs.task import Task


class Listener(Protocol):
    """Who hears what a task tells while it runs; the calls come from several threads, one at a time of each kind."""

    def progress(self, fraction: float | None, note: str) -> None: ...
    def entry(self, kind: Kind, entry: Entry) -> None: ...
    def stop_requested(self) -> bool: ...


def run_here(
    task: Task,
    parameters: BaseModel,
    files: FileStore,
    listener: Listener,
    secrets: Mapping[str, str] | None = None,
) -> Outcome:
    """Call a task as a worker does; its timeout is not enforced."""
    try:
        given = kept(parameters, reference_to)  # a secret stands for itself: this is kept nowhere
    except UnsealedSecret as error:
        return Failure("TaskError", str(error), final=True)
    nobody = User()
    opened = {secret: secret for secret in tokens_in(given)}
    order = Order(task.name, given, owner=(nobody.id, nobody.email), secrets=secrets or {}, opened=opened)
    return perform(Catalog({task.name: task}), order, _Here(files, listener), own_process=False)


class _Here:
    """A link to nobody but the listener; a checkpoint lasts as long as the call."""

    def __init__(self, files: FileStore, listener: Listener) -> None:
        self._files = files
        self._listener = listener
        self.report = listener.progress
        self.stop_requested = listener.stop_requested

    def put_out(self, batch: Batch) -> None:
        for entry in batch.entries:
            self._listener.entry(batch.kind, entry)

    def save(self, value: Any) -> None:
        if self.stop_requested():
            raise StopRun

    def keep(self, stream: BinaryIO, name: str, media_type: str) -> StoredFile:
        return self._files.put(stream)

    def open(self, sha256: str) -> BinaryIO:
        return self._files.open(sha256)
