"""Call a task and turn its result or error into an outcome, without access to the database, Redis or file store."""

import contextlib
import inspect
import traceback
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping, Sequence
from pathlib import Path
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import Any, BinaryIO, NamedTuple, Protocol

from pydantic import BaseModel, ValidationError

from jobs.authoring.catalog import Catalog
from jobs.authoring.context import Cancelled, Checkpoint, Emit, FinalFailure, Log, Progress, StopRun, User
from jobs.authoring.file_parameters import OPEN
from jobs.authoring.secret_parameters import LostSecret
from jobs.authoring.secrets import Secrets
from jobs.authoring.task import Task
from jobs.authoring.workspace import Workspace
from jobs.values.json_value import ResultError, json_value
from jobs.values.outcome import Failure, Outcome, Stopped, Success
from jobs.values.stored_file import StoreAway, StoredFile
from jobs.values.text import keepable
from jobs.values.value_store import ValueStore
from jobs.worker import limits

# Longer than what is shown, so that the worker can redact secrets before it truncates the text.
LONGEST_MESSAGE_SENT = 40_000
LONGEST_TRACEBACK_SENT = 60_000

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
        return explain(error, task)


def _called(task: Task, order: Order, link: Link) -> Success:
    values = ValueStore(link.keep, task.name)
    emit = Emit(link.emit, link.stop_requested, values.partial)
    context = {kind: _context(kind, order, link, emit) for kind in task.context.values()}
    returned = task.call(_validated(task, order, link), context)
    if isinstance(returned, UNFINISHED):
        returned = _result(returned, emit)
    return Success(json_value(values.result(returned)))


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
    return task.parameters.model_validate(order.parameters, context={OPEN: link.open})


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


def _emitted(values: Iterator[Any], emit: Emit) -> Any:
    with contextlib.closing(values):  # type: ignore[type-var]  # a generator has close()
        while True:
            try:
                value = next(values)
            except StopIteration as end:
                return end.value
            emit(value)


async def _emit_all(values: AsyncIterator[Any], emit: Emit) -> None:
    async with contextlib.aclosing(values):  # type: ignore[type-var]  # it has aclose()
        async for value in values:
            emit(value)


def explain(error: BaseException, task: Task) -> Failure:
    """Return the failure for an error: a message for the owner if the cause is known, else the task's own message."""
    if isinstance(error, ResultError):
        return Failure("ResultError", _bounded(str(error)), final=True)
    if isinstance(error, ValidationError) and error.title == task.parameters.__name__:
        words = f"The parameters are no longer valid: {_misfit(error)}"
        return Failure("InvalidParameters", _bounded(words), final=True)
    if isinstance(error, StoreAway):
        return Failure(
            "StoreAway", f"A file could not be stored or read. {error} Run it again later.", _traceback(error)
        )
    if isinstance(error, MemoryError):
        limit = f" This task is limited to {task.memory:,} MB." if task.memory else ""
        return Failure("OutOfMemory", f"Out of memory.{limit}", _traceback(error))
    if isinstance(error, SystemExit):
        return Failure("SystemExit", _exit_words(error), _traceback(error))
    message = _bounded(_words(error)) or "no message"
    return Failure(type(error).__name__, message, _traceback(error), final=isinstance(error, FinalFailure))


def _exit_words(error: SystemExit) -> str:
    code = "" if error.code is None else repr(error.code) if isinstance(error.code, int) else _words(error)
    advice = "To succeed, return from the function. To fail without a retry, raise FinalFailure."
    return _bounded(f"The task called sys.exit({code}). {advice}")


def _misfit(error: ValidationError) -> str:
    """Return the validation errors without the invalid values, because one may be a secret."""
    problems = ((*one["loc"], one["msg"]) for one in error.errors(include_url=False, include_input=False))
    return "; ".join(": ".join(map(str, problem)) for problem in problems)


def _words(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException as broken:  # the task's own exception class may raise anything in __str__
        return f"unreadable message ({type(broken).__name__} in __str__)"


def _bounded(text: str) -> str:
    return keepable(text[:LONGEST_MESSAGE_SENT])


def _traceback(error: BaseException) -> str:
    """Return the traceback from the task's own code on, without the frames that called it."""
    try:
        frames = traceback.TracebackException.from_exception(error)
        while len(frames.stack) > 1 and frames.stack[0].filename in OURS:
            frames.stack.pop(0)
        text = "".join(frames.format())
    except BaseException as broken:  # an exception can hold values that Python cannot format
        text = _plain_traceback(error, broken)
    lines = keepable(text[-LONGEST_TRACEBACK_SENT:])
    # Start with a whole line: a secret that was cut in two would escape redaction.
    return lines if len(text) <= LONGEST_TRACEBACK_SENT else lines.partition("\n")[2] or lines


def _plain_traceback(error: BaseException, broken: BaseException) -> str:
    try:
        frames = "".join(traceback.format_tb(error.__traceback__))
    except BaseException:
        frames = ""
    return f"{frames}{type(error).__name__} (could not be formatted: {type(broken).__name__})\n"


OURS = frozenset({__file__, inspect.getfile(Task)})
