"""Calls a task and turns whatever comes of it into an outcome; touches neither database nor Redis."""

import json
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError, to_json

from jobs.catalog import Catalog
from jobs.context import Progress
from jobs.outcome import Failure, Outcome, Success
from jobs.reporter import Reporter
from jobs.task import Task
from jobs.text import keepable

LARGEST_RESULT_BYTES = 1_000_000
LONGEST_TRACEBACK = 20_000


class ResultError(Exception):
    """A task returned something that cannot be kept; the message says why."""


def perform(catalog: Catalog, name: str, parameters: Mapping[str, Any], reporter: Reporter) -> Outcome:
    """Call a task with a run's parameters; whatever it does, there is an outcome."""
    task = catalog.get(name)
    if task is None:
        return Failure("NoSuchTask", f"There is no task {name!r} any more.")
    try:
        validated = task.parameters.model_validate(parameters)
        return Success(storable(task.call(validated, {Progress: Progress(reporter.report)})))
    except BaseException as error:  # a task may raise anything, SystemExit too, and its owner has to hear of it
        return explain(error, task)
    finally:
        reporter.close()


def storable(value: Any) -> Any:
    """The value as JSON keeps it, at most 1 MB, with NaN and infinity as text. Raises ResultError with the reason."""
    try:
        encoded = to_json(value, inf_nan_mode="strings")
        plain = json.loads(encoded)
    except (PydanticSerializationError, ValueError, TypeError, RecursionError) as error:
        reason = str(error).removeprefix("Error serializing to JSON: ")
        raise ResultError(f"The result cannot be kept as JSON: {reason}") from None
    if len(encoded) > LARGEST_RESULT_BYTES:
        raise ResultError(f"The result is too large: {len(encoded):,} bytes, and {LARGEST_RESULT_BYTES:,} can be kept.")
    return plain


def explain(error: BaseException, task: Task) -> Failure:
    """Say why a run failed, in words for its owner where the reason is ours, and the task's own otherwise."""
    if isinstance(error, ResultError):
        return Failure("ResultError", str(error))
    if isinstance(error, ValidationError) and error.title == task.parameters.__name__:
        return Failure("InvalidParameters", f"The parameters no longer fit this task: {error}")
    message = keepable(_words(error)) or "no message"
    return Failure(type(error).__name__, message, _traceback(error))


def _words(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return "its message cannot be read"


def _traceback(error: BaseException) -> str:
    """The traceback from the task's own code on: what called it is ours, and of no use to its owner."""
    ours = {__file__, str(Path(__file__).with_name("task.py"))}
    frames = traceback.TracebackException.from_exception(error)
    while len(frames.stack) > 1 and frames.stack[0].filename in ours:
        frames.stack.pop(0)
    return keepable("".join(frames.format()))[-LONGEST_TRACEBACK:]
