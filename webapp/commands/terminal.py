"""Terminal output of a run: its result on standard output, everything else on standard error."""

import json
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any, TextIO

import click

from jobs.runs import Entry, OutputKind
from jobs.values import picture_in


class Terminal:
    """A reporter that writes a run's output lines and, on an interactive terminal, a progress line below them."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._moves = self._stream.isatty()
        self._moving = ""
        self._writing = threading.Lock()
        self._stop = False

    def progress(self, fraction: float | None, note: str) -> None:
        share = "" if fraction is None else f"{fraction:4.0%} "
        self._move(f"{share}{note}".rstrip())

    def entry(self, kind: OutputKind, entry: Entry) -> None:
        shown = entry.content if kind is OutputKind.LOG else _in_a_line(entry.content)
        with self._writing:
            self._wipe()
            self._stream.write(f"{shown}\n")
            self._stream.write(self._moving)
            self._stream.flush()

    def stop_requested(self) -> bool:
        return self._stop

    def close(self) -> None:
        """Clear the progress line."""
        self._move("")

    @contextmanager
    def stopping_at_ctrl_c(self) -> Iterator[None]:
        """Make Ctrl-C request a stop, as the run's owner can; a second Ctrl-C interrupts it at once."""
        before = signal.signal(signal.SIGINT, self._ask_to_stop)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def _ask_to_stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stop = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def _move(self, line: str) -> None:
        if not self._moves or line == self._moving:
            return
        with self._writing:
            self._wipe()
            self._moving = line
            self._stream.write(line)
            self._stream.flush()

    def _wipe(self) -> None:
        if self._moving:
            self._stream.write("\r\x1b[K")


def _in_a_line(value: Any) -> str:
    picture = picture_in(value)
    if picture is None:
        return json.dumps(value, ensure_ascii=False)
    return f"An image of {picture.width} × {picture.height} pixels" + (", a tile" if picture.tile else "")


def show_notes(notes: Sequence[str]) -> None:
    """Print on standard error what was changed in a result."""
    for note in notes:
        click.echo(f"Note: {note}", err=True)


def show_result(result: Any) -> None:
    """Print a result: strings verbatim, other values as JSON."""
    click.echo(result if isinstance(result, str) else json.dumps(result, indent=2, ensure_ascii=False))
