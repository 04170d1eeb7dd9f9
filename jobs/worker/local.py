"""Run a task for its developer in a child of this process, without a queue or worker, and without storing anything."""

import contextlib
import os
import select
import signal
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Protocol

from pydantic import BaseModel

from jobs.authoring.catalog import Catalog
from jobs.authoring.context import User
from jobs.authoring.secret_parameters import written
from jobs.authoring.task import Task
from jobs.runs.output_entries import Entry, OutputKind
from jobs.storage.store import FileStore
from jobs.values.outcome import Outcome, abrupt_end
from jobs.values.stored_file import StoredFile
from jobs.worker.child import prepare, run_child
from jobs.worker.child_link import connected_ends
from jobs.worker.execute import Order
from jobs.worker.execution import ChildEvent, Emitted, Ended, Execution, Keep, Open, Save
from jobs.worker.file_requests import descriptor_of
from jobs.worker.pending_output import emitted_entry
from jobs.worker.shared_state import ProgressReport
from jobs.worker.workspace import workspace

LOOK_SECONDS = 0.1

Take = Callable[[Execution, ChildEvent], None]


class Observer(Protocol):
    """A receiver of a task's progress and output."""

    def progress(self, fraction: float | None, note: str) -> None: ...
    def entry(self, kind: OutputKind, entry: Entry) -> None: ...
    def stop_requested(self) -> bool: ...


def run_here(
    task: Task,
    parameters: BaseModel,
    files: FileStore,
    observer: Observer,
    secrets: Mapping[str, str] | None = None,
) -> Outcome:
    """Run a task as a worker does and return its outcome. The timeout is not enforced."""
    given, nobody = written(parameters), User()
    with workspace(None) as folder:
        owner = (nobody.id, nobody.email)
        order = Order(task.name, given.whole, None, owner, str(folder), secrets or {}, given.secrets)
        return execute_in_child(
            Catalog({task.name: task}), order, partial(_take, files, observer), observer.stop_requested
        )


def execute_in_child(catalog: Catalog, order: Order, take: Take, stop_requested: Callable[[], bool]) -> Outcome:
    """Fork a child for one order; `take` is called with what it puts out and asks for, and answers that."""
    with _child(catalog) as child:
        child.order(order)
        return _watch(child, take, stop_requested)


@contextlib.contextmanager
def _child(catalog: Catalog) -> Iterator[Execution]:
    ours, theirs = connected_ends()
    parent = os.getpid()
    pid = os.fork()
    if not pid:
        ours.close()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        run_child(catalog, theirs, parent, prepare())
    theirs.close()
    child = Execution(pid, ours)
    try:
        yield child
    finally:
        for kill in (os.killpg, os.kill):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)
        child.close()


def _watch(child: Execution, take: Take, stop_requested: Callable[[], bool]) -> Outcome:
    while True:
        poll = select.poll()
        child.register(poll)
        poll.poll(LOOK_SECONDS * 1000)
        if stop_requested():
            child.ask_to_stop()
        # Checked before reading, so that everything written before the end is read below.
        ended = os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        for event in child.drain() if ended else child.receive():
            if isinstance(event, Ended):
                for last in child.drain():
                    take(child, last)
                return event.outcome
            take(child, event)
        if ended:
            return abrupt_end(ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status)


def _take(files: FileStore, observer: Observer, child: Execution, event: ChildEvent) -> None:
    match event:
        case Entry():
            observer.entry(OutputKind.LOG, event)
        case Emitted(value):
            observer.entry(OutputKind.EMITTED, emitted_entry(value))
        case ProgressReport():
            if progress := child.progress():
                observer.progress(*progress)
        case Save():
            child.answer(not observer.stop_requested())
        case Keep(file, start):
            child.answer(list(put_file(files, file, start)))
        case Open(sha256):
            open_file(files, child, sha256)


def put_file(files: FileStore, file: int, start: int) -> StoredFile:
    """Put an open file into a store, from a place on, and close it."""
    with os.fdopen(file, "rb") as stream:
        stream.seek(start)
        return files.put(stream)


def open_file(files: FileStore, child: Execution, sha256: str) -> None:
    """Answer a child that asks for a file of the store."""
    try:
        with files.open(sha256) as stream:
            descriptor = descriptor_of(stream)
    except FileNotFoundError:
        child.answer(None)
        return
    child.answer(None, descriptor)
    os.close(descriptor)
