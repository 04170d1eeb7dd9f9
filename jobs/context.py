"""What a task may ask for beside its parameters, by annotating a parameter with one of these types."""

from collections.abc import Callable
from typing import Any

from jobs.text import keepable

# The most progress reports a run writes in one second; the last one always gets through.
REPORTS_PER_SECOND = 10


class StopRun(BaseException):
    """Raised inside a task whose owner asked for its end, so that it can tidy up.

    It is no Exception, so that a task's `except Exception` does not swallow it.
    """


class FinalFailure(Exception):
    """Raise it in a task to fail for good: the run is not tried again, whatever `retries` says."""


def _nobody(fraction: float | None, note: str) -> None:
    """Where progress goes when a task is called as a plain function."""


def _nowhere(value: Any) -> None:
    """Where a checkpoint goes when a task is called as a plain function."""


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
        self._report(fraction, keepable(str(note))[:200])


class Checkpoint:
    """Keeps how far a long run has come, so that its next attempt goes on from there.

    The next attempt follows a deploy, a lost worker, a retry, or its owner's "Run again". What is saved must be
    JSON, at most 1 MB; when `save` returns it is in the database.
    """

    def __init__(self, value: Any = None, save: Callable[[Any], None] = _nowhere) -> None:
        self._value = value
        self._save = save

    def load(self, default: Any = None) -> Any:
        """What was saved last, by this attempt or an earlier one, or `default`."""
        return default if self._value is None else self._value

    def save(self, value: Any) -> None:
        """Keep a value. Raises ResultError when it cannot be kept, and StopRun when the run is to end."""
        self._save(value)
        self._value = value
