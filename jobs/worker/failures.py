"""Turn what a task raises into the failure that its owner sees."""

import inspect
import traceback
from pathlib import Path

from pydantic import ValidationError

from jobs.authoring.context import FinalFailure
from jobs.authoring.task import Task
from jobs.values.errors import ResultError
from jobs.values.outcome import Failure
from jobs.values.stored_file import StoreAway
from jobs.values.text import keepable

# Longer than what is shown, so that the worker can redact secrets before it truncates the text.
LONGEST_MESSAGE_SENT = 40_000
LONGEST_TRACEBACK_SENT = 60_000

# The files that call a task: a traceback begins after their frames.
CALLERS = frozenset({str(Path(__file__).with_name("execute.py")), inspect.getfile(Task)})


def failure_of(error: BaseException, task: Task) -> Failure:
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
        while len(frames.stack) > 1 and frames.stack[0].filename in CALLERS:
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
