"""Context types: a task receives one of these objects when it annotates a parameter with the type."""

import copy
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from dataclasses import dataclass
from typing import Any, TypeVar

from jobs.values.json_value import json_value
from jobs.values.text import keepable
from jobs.values.value_store import unstored

# Maximum number of progress reports that a run writes per second; the last report is always written.
REPORTS_PER_SECOND = 10

# Longer than the part that is shown, because secrets are redacted before the note is truncated: a secret cut in two
# would not be recognised.
LONGEST_NOTE_SENT = 900

T = TypeVar("T")


class StopRun(BaseException):
    """Raised inside a task when the run's owner cancels it, so that the task can clean up.

    Derives from BaseException so that an `except Exception` in the task does not swallow it.
    """


@dataclass(frozen=True)
class User:
    """The run's owner: `id` never changes for an account, `email` is the address used to sign in."""

    id: int = 0
    email: str = "somebody@example.com"


class FinalFailure(Exception):
    """A permanent failure: raise it in a task to fail the run without a retry, whatever `retries` says."""


def _discard_progress(fraction: float | None, note: str) -> None:
    """Discard a progress report: the default when a task is called as a plain function."""


def _discard_value(value: Any) -> None:
    """Discard a checkpoint or a partial result: the default when a task is called as a plain function."""


def _discard_line(source: str, text: str) -> None:
    """Discard a log line: the default when a task is called as a plain function."""


def _never() -> bool:
    return False


class Progress:
    """A callable that reports the run's progress: `progress(0.4, "tile 4 of 10")`.

    `fraction` is between 0 and 1 (other values are clamped), or None when the total is unknown. `note` is a short text,
    truncated to 200 characters. Raises StopRun when the run's owner has cancelled it; a task that never reports
    progress is killed after its grace period instead.
    """

    def __init__(
        self,
        report: Callable[[float | None, str], None] = _discard_progress,
        stop_requested: Callable[[], bool] = _never,
    ) -> None:
        self._report = report
        self._stop_requested = stop_requested

    def __call__(self, fraction: float | None, note: str = "") -> None:
        if self._stop_requested():
            raise StopRun
        if fraction is not None:
            fraction = min(1.0, max(0.0, float(fraction)))
        self._report(fraction, keepable(str(note)[:LONGEST_NOTE_SENT]))

    def track(self, items: Iterable[T], thing: str = "", total: int | None = None) -> Iterator[T]:
        """Yield the items and report progress along the way: `for row in progress.track(rows, "row")`.

        `thing` names one item, as in "row 40 of 100"; `total` is the number of items, for iterables without a length.
        Reports at most ten times a second. Each report raises StopRun when the run's owner has cancelled it.
        """
        if total is None and isinstance(items, Sized):
            total = len(items)
        number, report_at, pause, clock = 0, 0.0, 1.0 / REPORTS_PER_SECOND, time.monotonic
        for number, item in enumerate(items, 1):
            if (now := clock()) >= report_at:
                report_at = now + pause
                self._report_item(number - 1, number, thing, total)
            yield item
        if number:
            self._report_item(number, number, thing, total)

    def _report_item(self, done: int, number: int, thing: str, total: int | None) -> None:
        of_total = f" of {total:,}" if total else ""
        self(done / total if total else None, f"{thing} {number:,}{of_total}".lstrip())


class Cancelled:
    """A callable that returns whether the run's owner has cancelled it: `if cancelled(): return partial_result`.

    Use it in a task that stops in its own way. The task has its grace period to return, and the value that it returns
    becomes the run's result.
    """

    def __init__(self, stop_requested: Callable[[], bool] = _never) -> None:
        self._stop_requested = stop_requested

    def __call__(self) -> bool:
        return self._stop_requested()


class Checkpoint:
    """The saved state of a long run, from which its next attempt resumes.

    A new attempt starts after a deploy, a lost worker, a retry, or when the owner chooses "Run again". The saved value
    must be JSON, at most 1 MB; it is in the database when `save` returns.
    """

    def __init__(self, value: Any = None, save: Callable[[Any], None] = _discard_value) -> None:
        self._value = value
        self._save = save

    def load(self, default: Any = None) -> Any:
        """Return the value saved last by this attempt or an earlier one, in its JSON form; or `default`."""
        return default if self._value is None else copy.deepcopy(self._value)

    def save(self, value: Any) -> None:
        """Save a value. Raises ResultError when it cannot be stored, and StopRun when the run must stop."""
        kept = json_value(value, "The checkpoint")
        self._save(kept)
        self._value = kept


class Log:
    """A logger that writes to the run's page: `log("tile 4 is empty")`, `log.warning("tile 5 is missing")`.

    The page also shows the process's standard output and error, and Python's logging from INFO up. Lines are truncated
    to 10,000 characters. Each run keeps its newest lines, up to 1 MB and 10,000 lines.
    """

    def __init__(self, write: Callable[[str, str], None] = _discard_line) -> None:
        self._write = write

    def __call__(self, message: object) -> None:
        self._write("info", str(message))

    def warning(self, message: object) -> None:
        self._write("warning", str(message))

    def error(self, message: object) -> None:
        self._write("error", str(message))


class Emit:
    """A callable that shows a partial result on the run's page: `emit({"step": 4, "loss": 0.1})`.

    A value is anything that a task may return, at most 1 MB as JSON, or a Tile of an image. Each run keeps its newest
    1 MB of values. Raises ResultError for a value that cannot be stored, and StopRun when the run's owner has cancelled
    it.
    """

    def __init__(
        self,
        send: Callable[[Any], None] = _discard_value,
        stop_requested: Callable[[], bool] = _never,
        develop: Callable[[Any], Any] = unstored,
    ) -> None:
        self._send = send
        self._stop_requested = stop_requested
        self._develop = develop

    def __call__(self, value: Any) -> None:
        if self._stop_requested():
            raise StopRun
        self._send(self._develop(value))
