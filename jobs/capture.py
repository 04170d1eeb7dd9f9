"""Hears what a task prints and logs, at Python's level; of a task with secrets, what goes past Python as well."""

import contextlib
import io
import logging
import os
import sys
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TextIO

from jobs.descriptors import NUMBERS, taken
from jobs.secrets import Cover
from jobs.spool import LONGEST_LINE
from jobs.threads import others

Write = Callable[[str, str], None]

# A line is cut when it is delivered; what has no end yet is held to so many bytes, one more than may be needed.
LONGEST_BYTES = 4 * LONGEST_LINE + 1
BENEATH = 0  # in the place of a thread, whatever came by the process's own descriptors
LEVELS = ((logging.CRITICAL, "critical"), (logging.ERROR, "error"), (logging.WARNING, "warning"))


class Capture:
    """The lines of one call, apart for each stream and thread.

    A thread that an earlier run has left behind in this process is not heard: what it prints is not for the owner of
    the run at hand. Nor is a process that the task forks, whose lines its parent would not get.
    """

    def __init__(self, write: Write, cover: Cover | None = None) -> None:
        self.write = write
        self._cover = cover
        self._pid = os.getpid()
        self._strangers = weakref.WeakSet(others())
        self._unfinished: dict[tuple[str, int], bytes] = {}
        self.aside: Mapping[str, TextIO] = {}
        """Where the process's own output goes, for what is not the task's, while the descriptors lead here."""

    @property
    def hears(self) -> bool:
        """Whether the calling thread is one of the task's."""
        return not self.is_copy and threading.current_thread() not in self._strangers

    @property
    def goes_on(self) -> bool:
        """Whether a thread that the task has started goes on."""
        return bool(others() - set(self._strangers))

    @property
    def is_copy(self) -> bool:
        """Whether this is a process that the task has forked."""
        return os.getpid() != self._pid

    def feed_from_beneath(self, source: str, data: bytes) -> None:
        self.feed(source, data, BENEATH)

    def leave_out(self, source: str, count: int) -> None:
        """Tell that so many bytes from beneath are lost; a line that was begun there is as well."""
        self._unfinished.pop((source, BENEATH), None)
        self.write(source, f"({count:,} bytes came too fast and are left out)")

    def feed(self, source: str, data: bytes, thread: int | None = None) -> None:
        key = (source, threading.get_ident() if thread is None else thread)
        *lines, rest = (self._unfinished.pop(key, b"") + data).split(b"\n")
        for line in lines:
            self._finish(source, line)
        if rest := _overwritten(rest)[:LONGEST_BYTES]:
            self._unfinished[key] = rest

    def close(self) -> None:
        """Write the lines that were begun and not ended."""
        for source, thread in list(self._unfinished):
            self._finish(source, self._unfinished.pop((source, thread)))

    def _finish(self, source: str, line: bytes) -> None:
        shown = _overwritten(line.removesuffix(b"\r"))[:LONGEST_BYTES]
        if self._cover and len(shown) == LONGEST_BYTES:
            shown = self._cover.whole(shown)
        self.write(source, shown.decode("utf-8", "backslashreplace"))


def _overwritten(line: bytes) -> bytes:
    """What a terminal shows of a line that goes back to its beginning: progress bars do that."""
    return line[line.rfind(b"\r", 0, -1) + 1 :]


_at_hand: Capture | None = None


class Stream(io.RawIOBase):
    """Where a replaced stdout or stderr writes: to the call at hand, or to what is beneath it.

    Libraries keep a stream for longer than one call of a task; it follows the call at hand.
    """

    def __init__(self, source: str, beneath: TextIO | None) -> None:
        self._source = source
        self._beneath = beneath

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        """The real one: what is written there by other programs is not captured, and does not fail either."""
        return self._beneath.fileno() if self._beneath else super().fileno()

    def write(self, data: Any) -> int:
        written = bytes(data)
        capture = _at_hand
        if capture and capture.hears:
            capture.feed(self._source, written)
        elif capture and capture.aside and capture.is_copy:
            os.write(NUMBERS[self._source], written)  # as other programs do
        elif beneath := capture.aside.get(self._source, self._beneath) if capture else self._beneath:
            beneath.write(written.decode("utf-8", "backslashreplace"))
        return len(written)


class Records(logging.Handler):
    """Hears what is logged."""

    def emit(self, record: logging.LogRecord) -> None:
        capture = _at_hand
        if capture and capture.hears:
            source = next((name for level, name in LEVELS if record.levelno >= level), "info")
            try:
                capture.write(source, self.format(record))
            except Exception:
                self.handleError(record)


@contextlib.contextmanager
def captured(write: Write, cover: Cover | None = None) -> Iterator[None]:
    """Have every line that is printed or, from INFO on, logged meanwhile written with its source, without its end.

    With a cover for what must not be seen, that is what goes to the process's own output too, by whatever way.
    """
    global _at_hand
    capture = _at_hand = Capture(write, cover)
    beneath = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (_text(*of) for of in (("out", sys.stdout), ("err", sys.stderr)))
    try:
        with _records(), _from_beneath(capture, cover, *beneath):
            yield
    finally:
        sys.stdout, sys.stderr = beneath
        _at_hand = None
        capture.close()


@contextlib.contextmanager
def _from_beneath(capture: Capture, cover: Cover | None, out: TextIO, err: TextIO) -> Iterator[None]:
    if cover is None:
        yield
        return
    try:
        with taken(cover, capture, {"out": out, "err": err}) as capture.aside:
            yield
    finally:
        capture.aside = {}


def _text(source: str, beneath: TextIO | None) -> TextIO:
    stream: Any = Stream(source, beneath)
    return io.TextIOWrapper(stream, "utf-8", "backslashreplace", line_buffering=True, write_through=True)


@contextlib.contextmanager
def _records() -> Iterator[None]:
    """Listen at the root logger from INFO on; what others there hear does not change."""
    root, handler = logging.getLogger(), Records(logging.INFO)
    level, levels = root.level, [(other, other.level) for other in root.handlers]
    for other, heard in levels:
        other.setLevel(max(heard, level))
    root.setLevel(min(level, logging.INFO))
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
        for other, heard in levels:
            other.setLevel(heard)
