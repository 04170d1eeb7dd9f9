"""Call a task and turn its result or error into an outcome, without access to the database, Redis or file store."""

import contextlib
from collections.abc import AsyncGenerator, Coroutine, Generator, Mapping, Sequence
from pathlib import Path
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import Any, BinaryIO, NamedTuple, Protocol

from pydantic import BaseModel

from jobs.authoring.catalog import Catalog
from jobs.authoring.context import Cancelled, Checkpoint, Emit, Log, Progress, StopRun, User
from jobs.authoring.parameters import load
from jobs.authoring.secret_parameters import LostSecret
from jobs.authoring.secrets import Secrets
from jobs.authoring.task import Task
from jobs.authoring.workspace import Workspace
from jobs.values.outcome import Failure, Outcome, Stopped, Success
from jobs.values.stored_file import StoredFile
from jobs.values.value_store import ValueStore
from jobs.worker import limits
from jobs.worker.failures import failure_of

NOTHING: Mapping[str, Any] = {}
UNFINISHED = (CoroutineType, AsyncGeneratorType, GeneratorType)


class Order(NamedTuple):
    """The input of one attempt: the task's name, the run's parameters, and the checkpoint of an earlier attempt.

    `parameters` is None if they hold a secret that no key decrypts. `owner` is the owner's id and e-mail address, and
    `folder` the attempt's private workspace. `secrets` are the owner's secrets by name, and `hidden` the texts of those
    among the parameters.
    """

    task: str
    parameters: Mapping[str, Any] | None = NOTHING
    checkpoint: Any = None
    owner: tuple[int, str] = (0, "")
    folder: str = ""
    secrets: Mapping[str, str] = NOTHING
    hidden: Sequence[str] = ()

    def __repr__(self) -> str:
        """Return the task's name only: the other fields may hold secrets."""
        return f"Order({self.task!r})"


class Link(Protocol):
    """A connection to the process that ordered the run."""

    def report(self, fraction: float | None, note: str) -> None: ...
    def log(self, level: str, text: str) -> None: ...
    def emit(self, value: Any) -> None: ...
    def save(self, value: Any) -> None: ...
    def keep(self, stream: BinaryIO, name: str, media_type: str) -> StoredFile: ...
    def open(self, sha256: str) -> BinaryIO: ...
    def stop_requested(self) -> bool: ...


def execute(catalog: Catalog, order: Order, link: Link) -> Outcome:
    """Call a task with a run's parameters and return the outcome, whatever the task raises."""
    task = catalog.get(order.task)
    if task is None:
        return Failure("NoSuchTask", f"Task {order.task!r} no longer exists.", final=True)
    try:
        if task.memory is None:
            return _called(task, order, link)
        with limits.memory_limited_to(task.memory):
            return _called(task, order, link)
    except BaseException as error:  # a task may raise anything, even SystemExit, and its owner must see it
        if isinstance(error, StopRun) and link.stop_requested():
            return Stopped()
        return failure_of(error, task)


def _called(task: Task, order: Order, link: Link) -> Success:
    values = ValueStore(link.keep, task.name, lambda note: link.log("warning", note))
    emit = Emit(link.emit, link.stop_requested, values.partial)
    context = {kind: _context(kind, order, link, emit) for kind in task.context.values()}
    returned = task.call(_validated(task, order, link), context)
    if isinstance(returned, UNFINISHED):
        returned = _result(returned, emit)
    return Success(*values.result(returned))


def _context(kind: Any, order: Order, link: Link, emit: Emit) -> Any:
    """Return the argument for a task's parameter of a context type."""
    if kind is Progress:
        return Progress(link.report, link.stop_requested)
    if kind is Cancelled:
        return Cancelled(link.stop_requested)
    if kind is Checkpoint:
        return Checkpoint(order.checkpoint, link.save)
    if kind is Log:
        return Log(link.log)
    if kind is Emit:
        return emit
    if kind is User:
        return User(*order.owner)
    if kind is Secrets:
        return Secrets(order.secrets)
    assert kind is Workspace
    return Path(order.folder)


def _validated(task: Task, order: Order, link: Link) -> BaseModel:
    if order.parameters is None:
        raise LostSecret
    return load(task.parameters, order.parameters, link.open)


def _result(returned: Any, emit: Emit) -> Any:
    """Return a task's result, after awaiting a coroutine or emitting what a generator yields.

    Decide by the returned value, not by the function, which may be decorated.
    """
    match returned:
        case CoroutineType():
            return _result(_awaited(returned), emit)
        case AsyncGeneratorType():
            return _awaited(_emit_all(returned, emit))
        case GeneratorType():
            return _emitted(returned, emit)
    return returned


def _awaited(coroutine: Coroutine[Any, Any, Any]) -> Any:
    import asyncio  # imported lazily: most processes never need it

    return asyncio.run(coroutine)


def _emitted(values: Generator[Any, Any, Any], emit: Emit) -> Any:
    with contextlib.closing(values):
        while True:
            try:
                value = next(values)
            except StopIteration as end:
                return end.value
            emit(value)


async def _emit_all(values: AsyncGenerator[Any, Any], emit: Emit) -> None:
    async with contextlib.aclosing(values):
        async for value in values:
            emit(value)
