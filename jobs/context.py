"""What a task may ask for beside its parameters, by annotating a parameter with one of these types."""

from collections.abc import Callable

from jobs.text import keepable

# The most progress reports a run writes in one second; the last one always gets through.
REPORTS_PER_SECOND = 10


def _nobody(fraction: float | None, note: str) -> None:
    """Where progress goes when a task is called as a plain function."""


class Progress:
    """Tells how far a run has come: `progress(0.4, "tile 4 of 10")`.

    `fraction` lies between 0 and 1 (values outside are brought back), or is None where the end is unknown; `note` is a
    short text, cut at 200 characters.
    """

    def __init__(self, report: Callable[[float | None, str], None] = _nobody) -> None:
        self._report = report

    def __call__(self, fraction: float | None, note: str = "") -> None:
        if fraction is not None:
            fraction = min(1.0, max(0.0, float(fraction)))
        self._report(fraction, keepable(str(note))[:200])
