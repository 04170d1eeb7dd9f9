"""What a task may ask for beside its parameters, by annotating a parameter with one of these types."""

import copy
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from dataclasses import dataclass
from typing import Any, TypeVar

from jobs.values.json_value import json_value
from jobs.values.text import keepable
from jobs.values.value_store import without_files

# The most progress reports a run writes in one second; the last one always gets through.
REPORTS_PER_SECOND = 10

# More than is shown: what is a secret is found and hidden before a note is cut to its length.
LONGEST_NOTE_SENT = 900

T = TypeVar("T")


class StopRun(BaseException):
    """Raised inside a task whose owner asked for its end, so that it can tidy up.

    It is no Exception, so that a task's `except Exception` does not swallow it.
    """


@dataclass(frozen=True)
class User:
    """Whose run it is: `id` stays the same for an account, `email` is the address they sign in with."""

    id: int = 0
    email: str = "somebody@example.com"


class FinalFailure(Exception):
    """Raise it in a task to fail for good: the run is not tried again, whatever `retries` says."""


def _nobody(fraction: float | None, note: str) -> None:
    """Where progress goes when a task is called as a plain function."""


def _nowhere(value: Any) -> None:
    """Where a checkpoint or a partial result goes when a task is called as a plain function."""


def _unheard(source: str, text: str) -> None:
    """Where lines go when a task is called as a plain function."""


def _never() -> bool:
    return False


class Progress:
    """Tells how far a run has come: `progress(0.4, "tile 4 of 10")`.

    `fraction` lies between 0 and 1 (values outside are brought back), or is None where the end is unknown; `note` is a
    short text, cut at 200 characters. Raises StopRun when the run's owner has asked for its end; a task that does not
    report is killed instead, after its grace period.
    """

    def __init__(
        self,
        report: Callable[[float | None, str], None] = _nobody,
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
        """The items, while it is told which of them is at hand: `for row in progress.track(rows, "row")`.

        `thing` is what one of them is called, as in "row 40 of 100"; `total` is how many there are, for items that have
        no length. Tells at most ten times a second, and raises StopRun there when the run's owner has asked for its
        end.
        """
        if total is None and isinstance(items, Sized):
            total = len(items)
        number, tell_at, pause, clock = 0, 0.0, 1.0 / REPORTS_PER_SECOND, time.monotonic
        for number, item in enumerate(items, 1):
            if (now := clock()) >= tell_at:
                tell_at = now + pause
                self._tell_of(number - 1, number, thing, total)
            yield item
        if number:
            self._tell_of(number, number, thing, total)

    def _tell_of(self, done: int, number: int, thing: str, total: int | None) -> None:
        of_total = f" of {total:,}" if total else ""
        self(done / total if total else None, f"{thing} {number:,}{of_total}".lstrip())


class Cancelled:
    """Tells whether the run's owner has asked for its end: `if cancelled(): return what_there_is`.

    For a task that ends in its own way: it is within its grace period then, and what it returns is the run's result.
    """

    def __init__(self, stop_requested: Callable[[], bool] = _never) -> None:
        self._stop_requested = stop_requested

    def __call__(self) -> bool:
        return self._stop_requested()


class Checkpoint:
    """Keeps how far a long run has come, so that its next attempt goes on from there.

    The next attempt follows a deploy, a lost worker, a retry, or its owner's "Run again". What is saved must be
    JSON, at most 1 MB; when `save` returns it is in the database.
    """

    def __init__(self, value: Any = None, save: Callable[[Any], None] = _nowhere) -> None:
        self._value = value
        self._save = save

    def load(self, default: Any = None) -> Any:
        """What was saved last, by this attempt or an earlier one, as JSON has it; or `default`."""
        return default if self._value is None else copy.deepcopy(self._value)

    def save(self, value: Any) -> None:
        """Keep a value. Raises ResultError when it cannot be kept, and StopRun when the run is to end."""
        kept = json_value(value, "The checkpoint")
        self._save(kept)
        self._value = kept


class Log:
    """Writes lines to the run's page: `log("tile 4 is empty")`, `log.warning("tile 5 is missing")`.

    What its process writes, and logs with Python's logging from INFO on, comes there too. A line is cut at 10,000
    characters; of each run the newest 1 MB of lines is kept, at most 10,000.
    """

    def __init__(self, write: Callable[[str, str], None] = _unheard) -> None:
        self._write = write

    def __call__(self, message: object) -> None:
        self._write("info", str(message))

    def warning(self, message: object) -> None:
        self._write("warning", str(message))

    def error(self, message: object) -> None:
        self._write("error", str(message))


class Emit:
    """Shows a partial result on the run's page: `emit({"step": 4, "loss": 0.1})`.

    A value is whatever a task may return, at most 1 MB as JSON, or a Tile of an image; of each run the newest 1 MB of
    values is kept. Raises ResultError for a value that cannot be kept, and StopRun when the run's owner has asked for
    its end.
    """

    def __init__(
        self,
        send: Callable[[Any], None] = _nowhere,
        stop_requested: Callable[[], bool] = _never,
        develop: Callable[[Any], Any] = without_files,
    ) -> None:
        self._send = send
        self._stop_requested = stop_requested
        self._develop = develop

    def __call__(self, value: Any) -> None:
        if self._stop_requested():
            raise StopRun
        self._send(json_value(self._develop(value), "The partial result"))
