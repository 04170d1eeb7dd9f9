"""Functions called like tasks, in a child of this process, with their output."""

import hashlib
import os
from collections.abc import Callable, Mapping
from typing import Any

from jobs.authoring.catalog import Catalog
from jobs.authoring.task import Task, task
from jobs.runs.output_entries import Entry
from jobs.storage.store import FileStore
from jobs.values.outcome import Outcome
from jobs.worker.execute import Order
from jobs.worker.execution import ChildEvent, Emitted, Execution, Keep, Open, Save
from jobs.worker.local import execute_in_child, open_file
from jobs.worker.workspace import workspace


class Received:
    """The output of a task."""

    def __init__(self, stop: bool = False, store: FileStore | None = None) -> None:
        self.entries: list[Entry] = []
        self.values: list[Any] = []
        self.saved: list[Any] = []
        self.files: list[bytes] = []
        self.names: list[tuple[str, str]] = []
        self.progress: list[tuple[float | None, str]] = []
        self.stop = stop
        self._store = store

    def stop_requested(self) -> bool:
        return self.stop

    @property
    def lines(self) -> list[tuple[str, str]]:
        return [(entry.source, entry.content) for entry in self.entries]

    def take(self, child: Execution, event: ChildEvent) -> None:
        match event:
            case Entry():
                self.entries.append(event)
            case Emitted(value):
                self.values.append(value)
            case Save(value):
                self.saved.append(value)
                child.answer(True)
            case Keep(file, start, name, media_type):
                self._keep(child, file, start)
                self.names.append((name, media_type))
            case Open(sha256):
                assert self._store is not None, "this test has no files"
                open_file(self._store, child, sha256)
            case _ if progress := child.progress():
                self.progress.append((progress.fraction, progress.note))

    def _keep(self, child: Execution, file: int, start: int) -> None:
        with os.fdopen(file, "rb") as stream:
            stream.seek(start)
            self.files.append(stream.read())
        child.answer([hashlib.sha256(self.files[-1]).hexdigest(), len(self.files[-1])])


def executed(catalog: Catalog, order: Order, heard: Received) -> Outcome:
    """Execute an order."""
    with workspace(None) as folder:
        in_folder = order._replace(folder=str(folder))
        return execute_in_child(catalog, in_folder, heard.take, heard.stop_requested)


def called(
    function: Callable[..., Any],
    heard: Received | None = None,
    secrets: Mapping[str, str] | None = None,
    **parameters: Any,
) -> tuple[Outcome, Received]:
    """Call a function as a task."""
    heard = heard or Received()
    registered: Task = function.__dict__.get("__task__") or task(function).__dict__["__task__"]
    order = Order(registered.name, parameters, secrets=secrets or {})
    return executed(Catalog({registered.name: registered}), order, heard), heard


__all__ = ["Received", "called", "executed"]
