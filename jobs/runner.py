"""What happens to one run inside a worker: claim, call the task, record how it ended."""

import json
import logging
import traceback
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError, to_json
from rq.timeouts import JobTimeoutException

from jobs import events, lease
from jobs.backend import Backend
from jobs.context import REPORTS_PER_SECOND, Progress
from jobs.lease import Change, Failure
from jobs.reporter import Reporter
from jobs.runs import Run
from jobs.task import Task

log = logging.getLogger(__name__)

LARGEST_RESULT_BYTES = 1_000_000
LONGEST_TRACEBACK = 20_000


class ResultError(Exception):
    """A task returned something that cannot be kept; the message says why."""


def execute(backend: Backend, run_id: int, worker: str) -> None:
    """Execute a run if it still waits; a run that somebody else has is left alone."""
    if run := claim(backend, run_id, worker):
        complete(backend, run)


def claim(backend: Backend, run_id: int, worker: str) -> Run | None:
    """Take a run that waits, and tell its pages that it runs."""
    run = lease.claim(backend.database, run_id, worker)
    if run is None:
        log.info("run %d does not wait any more", run_id)
        return None
    events.publish(backend.redis, Change(run.id, run.owner_id, run.version))
    return run


def complete(backend: Backend, run: Run) -> None:
    """Call the task of a claimed run, record how it ended, and tell its pages."""
    change = _finish(backend, run)
    if change is None:
        log.warning("run %d was taken over by another worker; its outcome here is dropped", run.id)
        return
    events.publish(backend.redis, change)


def warm_up(backend: Backend) -> None:
    """Compile the statements of a run's life, by changing a run that cannot exist."""
    nobody = Run(id=0, lease_token="")
    lease.claim(backend.database, nobody.id, "")
    lease.report(backend.database, nobody, None, "")
    lease.succeed(backend.database, nobody, None)
    lease.fail(backend.database, nobody, Failure("", ""))


def _finish(backend: Backend, run: Run) -> Change | None:
    task = backend.catalog.get(run.task)
    if task is None:
        return lease.fail(backend.database, run, Failure("NoSuchTask", f"There is no task {run.task!r} any more."))
    try:
        result = storable(_call(backend, run, task))
    except BaseException as error:  # a task may raise anything, SystemExit too, and its owner has to hear of it
        return lease.fail(backend.database, run, explain(error, task))
    return lease.succeed(backend.database, run, result)


def _call(backend: Backend, run: Run, task: Task) -> Any:
    def deliver(fraction: float | None, note: str) -> None:
        if change := lease.report(backend.database, run, fraction, note):
            events.publish(backend.redis, change)

    parameters = task.parameters.model_validate(run.parameters)
    reporter = Reporter(deliver, REPORTS_PER_SECOND)
    try:
        return task.call(parameters, {Progress: Progress(reporter.report)})
    finally:
        reporter.close()


def storable(value: Any) -> Any:
    """The value as JSON keeps it, at most 1 MB, with NaN and infinity as text. Raises ResultError with the reason."""
    try:
        encoded = to_json(value, inf_nan_mode="strings")
    except (PydanticSerializationError, ValueError, TypeError, RecursionError) as error:
        reason = str(error).removeprefix("Error serializing to JSON: ")
        raise ResultError(f"The result cannot be kept as JSON: {reason}") from None
    if len(encoded) > LARGEST_RESULT_BYTES:
        raise ResultError(f"The result is too large: {len(encoded):,} bytes, and {LARGEST_RESULT_BYTES:,} can be kept.")
    return json.loads(encoded)


def explain(error: BaseException, task: Task) -> Failure:
    """Say why a run failed, in words for its owner where the reason is ours, and the task's own otherwise."""
    if isinstance(error, JobTimeoutException):
        return Failure("Timeout", f"It ran longer than the {task.timeout:,} seconds that this task may take.")
    if isinstance(error, ResultError):
        return Failure("ResultError", str(error))
    if isinstance(error, ValidationError) and error.title == task.parameters.__name__:
        return Failure("InvalidParameters", f"The parameters no longer fit this task: {error}")
    message = _printable(str(error)) or "no message"
    return Failure(type(error).__name__, message, _traceback(error))


def _traceback(error: BaseException) -> str:
    """The traceback from the task's own code on: what called it is ours, and of no use to its owner."""
    ours = {__file__, str(Path(__file__).with_name("task.py"))}
    frames = traceback.TracebackException.from_exception(error)
    while len(frames.stack) > 1 and frames.stack[0].filename in ours:
        frames.stack.pop(0)
    return _printable("".join(frames.format()))[-LONGEST_TRACEBACK:]


def _printable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode().replace("\x00", "\\x00")
