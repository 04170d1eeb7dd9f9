"""Calls a task and turns whatever comes of it into an outcome; touches neither database nor Redis."""

import contextlib
import inspect
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from jobs import memory, sealed
from jobs.capture import captured
from jobs.catalog import Catalog
from jobs.context import REPORTS_PER_SECOND, Cancelled, Checkpoint, Emit, FinalFailure, Log, Progress, StopRun, User
from jobs.files import OPEN
from jobs.link import Link
from jobs.outcome import Failure, Outcome, Stopped, Success
from jobs.reporter import Reporter
from jobs.secrets import Cover, Secrets
from jobs.serving import Kitchen
from jobs.spool import Spool
from jobs.storable import ResultError, storable
from jobs.store import StoreAway
from jobs.task import Task
from jobs.text import keepable
from jobs.workspace import Workspace, workspace

LONGEST_TRACEBACK = 20_000


@dataclass(frozen=True)
class Order:
    """What is to be done: a task by its name, a run's parameters, and what an earlier attempt has saved.

    `owner` is the id and the address of whose run it is, and `workspaces` the folder for what it puts on the disk;
    `secrets` are those of its owner, by name, and `opened` those that are parameters, by what is kept in their place.
    """

    task: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    checkpoint: Any = None
    owner: tuple[int, str] = (0, "")
    workspaces: str = ""
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    opened: Mapping[str, str] = field(default_factory=dict, repr=False)


def perform(catalog: Catalog, order: Order, link: Link, own_process: bool = True) -> Outcome:
    """Call a task with a run's parameters; whatever it does, there is an outcome.

    Of a run with secrets all output of the process is the run's, unless the process is not for it alone.
    """
    task = catalog.get(order.task)
    if task is None:
        return Failure("NoSuchTask", f"There is no task {order.task!r} any more.", final=True)
    cover = Cover({**order.secrets, **order.opened})
    reporter = Reporter(link.report, REPORTS_PER_SECOND)
    spool = Spool(link.put_out)
    kitchen = Kitchen(link.keep, task.name, cover.text)

    def write(source: str, text: str) -> None:
        spool.write(source, cover.text(text))

    def save(value: Any) -> None:
        link.save(cover.value(value))

    context: dict[Any, Any] = {
        Progress: Progress(reporter.report, link.stop_requested, cover.text),
        Cancelled: Cancelled(link.stop_requested),
        Checkpoint: Checkpoint(order.checkpoint, save),
        Log: Log(write),
        Emit: Emit(lambda value: spool.emit(cover.value(value)), link.stop_requested, kitchen.partial),
        User: User(*order.owner),
        Secrets: Secrets(order.secrets),
    }
    try:
        validated = _validated(task, order, link)
        with contextlib.ExitStack() as stack:
            if task.asks_for(Workspace):
                context[Workspace] = stack.enter_context(workspace(order.workspaces))
            with (
                cover.over_logging(),
                captured(write, cover if own_process and cover.hides else None),
                memory.limited_to(task.memory),
            ):
                result = _called(task, validated, context)
            # An image or a file that is read only now may stand in the workspace: that goes last.
            return Success(cover.value(storable(kitchen.result(result))))
    except BaseException as error:  # a task may raise anything, SystemExit too, and its owner has to hear of it
        if isinstance(error, StopRun) and link.stop_requested():
            return Stopped()
        return explain(error, task, cover)
    finally:
        spool.close()
        reporter.close()


def _validated(task: Task, order: Order, link: Link) -> BaseModel:
    parameters = sealed.opened(order.parameters, order.opened)
    try:
        return task.parameters.model_validate(parameters, context={OPEN: link.open})
    except ValidationError:
        if any(sealed.tokens_in(parameters)):
            raise sealed.LostSecret from None
        raise


def _called(task: Task, parameters: BaseModel, context: Mapping[type, Any]) -> Any:
    """Call a task; what one that is a generator yields is emitted, and what it returns is its result."""
    if not inspect.isgeneratorfunction(task.function):
        return task.call(parameters, context)
    emit: Emit = context[Emit]
    with contextlib.closing(task.call(parameters, context)) as values:
        while True:
            try:
                value = next(values)
            except StopIteration as end:
                return end.value
            emit(value)


def explain(error: BaseException, task: Task, cover: Cover) -> Failure:
    """Say why a run failed, in words for its owner where the reason is ours, and the task's own otherwise."""
    if isinstance(error, ResultError):
        return Failure("ResultError", keepable(cover.text(str(error))), final=True)
    if isinstance(error, ValidationError) and error.title == task.parameters.__name__:
        words = keepable(f"The parameters no longer fit this task: {_misfit(error)}")
        return Failure("InvalidParameters", words, final=True)
    if isinstance(error, StoreAway):
        return Failure(
            "StoreAway", f"What it made could not be kept. {error} Run it again later.", _traceback(error, cover)
        )
    if isinstance(error, MemoryError):
        allowed = f"this task may take ({task.memory:,} MB)" if task.memory else "there is"
        return Failure("OutOfMemory", f"It needed more memory than {allowed}.", _traceback(error, cover))
    message = keepable(cover.text(_words(error))) or "no message"
    return Failure(
        cover.text(type(error).__name__), message, _traceback(error, cover), final=isinstance(error, FinalFailure)
    )


def _misfit(error: ValidationError) -> str:
    """What a model has against its parameters, without saying them: one may be a secret."""
    problems = ((*one["loc"], one["msg"]) for one in error.errors(include_url=False, include_input=False))
    return "; ".join(": ".join(map(str, problem)) for problem in problems)


def _words(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return "its message cannot be read"


def _traceback(error: BaseException, cover: Cover) -> str:
    """The traceback from the task's own code on: what called it is ours, and of no use to its owner."""
    ours = {__file__, str(Path(__file__).with_name("task.py"))}
    frames = traceback.TracebackException.from_exception(error)
    while len(frames.stack) > 1 and frames.stack[0].filename in ours:
        frames.stack.pop(0)
    return keepable(cover.text("".join(frames.format())))[-LONGEST_TRACEBACK:]
