"""Calls a task and turns whatever comes of it into an outcome; touches neither database nor Redis nor file store."""

import contextlib
import inspect
import traceback
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping
from pathlib import Path
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import Any, BinaryIO, NamedTuple, Protocol

from pydantic import BaseModel, ValidationError

from jobs.authoring import secret_parameters
from jobs.authoring.catalog import Catalog
from jobs.authoring.context import Cancelled, Checkpoint, Emit, FinalFailure, Log, Progress, StopRun, User
from jobs.authoring.file_parameters import OPEN
from jobs.authoring.secrets import Secrets
from jobs.authoring.task import Task
from jobs.authoring.workspace import Workspace
from jobs.values.json_value import ResultError, json_value
from jobs.values.outcome import Failure, Outcome, Stopped, Success
from jobs.values.stored_file import StoreAway, StoredFile
from jobs.values.text import keepable
from jobs.values.value_store import ValueStore
from jobs.worker import limits

# More than is shown: what is a secret is found and hidden before a text is cut to its length.
LONGEST_MESSAGE_SENT = 40_000
LONGEST_TRACEBACK_SENT = 60_000

NOTHING: Mapping[str, Any] = {}
UNFINISHED = (CoroutineType, AsyncGeneratorType, GeneratorType)


class Order(NamedTuple):
    """The work of one attempt: a task by its name, a run's parameters, and what an earlier attempt has saved.

    `owner` is the id and the address of whose run it is, and `folder` the private folder of this attempt; `secrets` are
    those of its owner, by name, and `opened` those that are parameters, by what is kept in their place.
    """

    task: str
    parameters: Mapping[str, Any] = NOTHING
    checkpoint: Any = None
    owner: tuple[int, str] = (0, "")
    folder: str = ""
    secrets: Mapping[str, str] = NOTHING
    opened: Mapping[str, str] = NOTHING

    def __repr__(self) -> str:
        """Leave out what must not be seen."""
        return f"Order({self.task!r})"


class Link(Protocol):
    """The line to whoever wants a task called."""

    def report(self, fraction: float | None, note: str) -> None: ...
    def log(self, level: str, text: str) -> None: ...
    def emit(self, value: Any) -> None: ...
    def save(self, value: Any) -> None: ...
    def keep(self, stream: BinaryIO, name: str, media_type: str) -> StoredFile: ...
    def open(self, sha256: str) -> BinaryIO: ...
    def stop_requested(self) -> bool: ...


def execute(catalog: Catalog, order: Order, link: Link) -> Outcome:
    """Call a task with a run's parameters; whatever it does, there is an outcome."""
    task = catalog.get(order.task)
    if task is None:
        return Failure("NoSuchTask", f"There is no task {order.task!r} any more.", final=True)
    try:
        if task.memory is None:
            return _called(task, order, link)
        with limits.memory_limited_to(task.memory):
            return _called(task, order, link)
    except BaseException as error:  # a task may raise anything, SystemExit too, and its owner has to hear of it
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
    """Return what a task gets that asks for a context type."""
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
    parameters = secret_parameters.opened(order.parameters, order.opened) if order.opened else order.parameters
    try:
        return task.parameters.model_validate(parameters, context={OPEN: link.open})
    except ValidationError:
        if any(secret_parameters.tokens_in(parameters)):
            raise secret_parameters.LostSecret from None
        raise


def _result(returned: Any, emit: Emit) -> Any:
    """Return a task's result; await what is to be awaited, and emit what a generator yields.

    The value says what to do and not the function, which may be decorated.
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
    import asyncio  # most processes never need it

    return asyncio.run(coroutine)


def _emitted(values: Iterator[Any], emit: Emit) -> Any:
    with contextlib.closing(values):  # type: ignore[type-var]  # a generator closes
        while True:
            try:
                value = next(values)
            except StopIteration as end:
                return end.value
            emit(value)


async def _emit_all(values: AsyncIterator[Any], emit: Emit) -> None:
    async with contextlib.aclosing(values):  # type: ignore[type-var]  # an asynchronous generator closes
        async for value in values:
            emit(value)


def explain(error: BaseException, task: Task) -> Failure:
    """Say why a run failed, in words for its owner where the reason is ours, and the task's own otherwise."""
    if isinstance(error, ResultError):
        return Failure("ResultError", _bounded(str(error)), final=True)
    if isinstance(error, ValidationError) and error.title == task.parameters.__name__:
        words = f"The parameters no longer fit this task: {_misfit(error)}"
        return Failure("InvalidParameters", _bounded(words), final=True)
    if isinstance(error, StoreAway):
        return Failure("StoreAway", f"What it made could not be kept. {error} Run it again later.", _traceback(error))
    if isinstance(error, MemoryError):
        allowed = f"this task may take ({task.memory:,} MB)" if task.memory else "there is"
        return Failure("OutOfMemory", f"Out of memory: it needed more than {allowed}.", _traceback(error))
    if isinstance(error, SystemExit):
        return Failure("SystemExit", _exit_words(error), _traceback(error))
    message = _bounded(_words(error)) or "no message"
    return Failure(type(error).__name__, message, _traceback(error), final=isinstance(error, FinalFailure))


def _exit_words(error: SystemExit) -> str:
    said = "" if error.code is None else repr(error.code) if isinstance(error.code, int) else _words(error)
    advice = "A run succeeds when its function returns, and fails for good when it raises FinalFailure."
    return _bounded(f"The task ended Python with sys.exit({said}). {advice}")


def _misfit(error: ValidationError) -> str:
    """Say what a model has against its parameters, without saying them: one may be a secret."""
    problems = ((*one["loc"], one["msg"]) for one in error.errors(include_url=False, include_input=False))
    return "; ".join(": ".join(map(str, problem)) for problem in problems)


def _words(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException as broken:  # whatever a class of the task's own does
        return f"its message cannot be read ({type(broken).__name__})"


def _bounded(text: str) -> str:
    return keepable(text[:LONGEST_MESSAGE_SENT])


def _traceback(error: BaseException) -> str:
    """Return the traceback from the task's own code on: what called it is ours, and of no use to its owner."""
    try:
        frames = traceback.TracebackException.from_exception(error)
        while len(frames.stack) > 1 and frames.stack[0].filename in OURS:
            frames.stack.pop(0)
        text = "".join(frames.format())
    except BaseException as broken:  # an exception can hold what Python itself cannot write
        text = _plain_traceback(error, broken)
    lines = keepable(text[-LONGEST_TRACEBACK_SENT:])
    # A secret that was cut in two would not be found: what is left begins with a whole line.
    return lines if len(text) <= LONGEST_TRACEBACK_SENT else lines.partition("\n")[2] or lines


def _plain_traceback(error: BaseException, broken: BaseException) -> str:
    try:
        frames = "".join(traceback.format_tb(error.__traceback__))
    except BaseException:
        frames = ""
    return f"{frames}{type(error).__name__} (it cannot be written out: {type(broken).__name__})\n"


OURS = frozenset({__file__, inspect.getfile(Task)})
