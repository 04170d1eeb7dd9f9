"""The lines of a run's log, made of what its process writes to its standard output and error, and of what it logs.

What is logged comes beside the two streams. So that it stands where it was said, its process writes a mark into both
streams before it sends it: what follows a mark waits until what belongs there has come.
"""

import time
from collections import deque
from collections.abc import Callable

from jobs.runs.output_entries import Entry
from jobs.values.text import legible
from jobs.worker.redaction import Redactor

LONGEST_LINE = 10_000
CUT = f" … (cut after {LONGEST_LINE:,} characters)"
# What has no end yet is held to so many bytes: a line's most, in UTF-8, and one more, which says that there was more.
LONGEST_BYTES = 4 * LONGEST_LINE + 1
MOST_WAITING = 1_000_000

Write = Callable[[Entry], None]


class Transcript:
    """Writes the lines of both streams, and what is logged, in their order."""

    def __init__(self, mark: bytes, redactor: Redactor, write: Write) -> None:
        self._streams = {source: Stream(source, mark, redactor, write) for source in ("out", "err")}
        self._logged: deque[tuple[str, str]] = deque()
        self._redactor = redactor
        self._write = write

    def feed(self, source: str, data: bytes) -> None:
        """Add data that was written to a stream."""
        self._streams[source].feed(data)
        self._go_on()

    def log(self, level: str, text: str) -> None:
        """Add a logged message, which belongs after the next mark in both streams."""
        self._logged.append((level, text))
        self._go_on()

    def unfinished(self) -> list[Entry]:
        """Return the lines that were begun and not ended, one of each stream at most."""
        return [entry for stream in self._streams.values() if (entry := stream.unfinished())]

    def close(self) -> None:
        """Write what is left, in whatever order it has."""
        while self._logged:
            self._write_logged()
            for stream in self._streams.values():
                stream.pass_mark()
        for stream in self._streams.values():
            stream.close()

    def _go_on(self) -> None:
        while self._logged and all(stream.is_at_mark for stream in self._streams.values()):
            self._write_logged()
            for stream in self._streams.values():
                stream.pass_mark()

    def _write_logged(self) -> None:
        level, text = self._logged.popleft()
        for line in self._redactor.text(text).split("\n"):
            self._write(entry_of(level, line))


class Stream:
    """What was written to one stream, as lines."""

    def __init__(self, source: str, mark: bytes, redactor: Redactor, write: Write) -> None:
        self._source = source
        self._mark = mark
        self._redactor = redactor
        self._write = write
        self._line = b""
        self._waiting = b""  # what follows a mark, and the beginning of one

    @property
    def is_at_mark(self) -> bool:
        """Whether everything before the next mark has been written, and the mark is there."""
        return self._waiting.startswith(self._mark)

    def feed(self, data: bytes) -> None:
        self._waiting += data
        if not self.is_at_mark:
            self._write_up_to_mark()
        while self.is_at_mark and len(self._waiting) > MOST_WAITING:  # what was to come beside it will not come
            self.pass_mark()

    def pass_mark(self) -> None:
        """Go on after the mark."""
        self._waiting = self._waiting.removeprefix(self._mark)
        self._write_up_to_mark()

    def unfinished(self) -> Entry | None:
        """Return the line that was begun, as a terminal shows it by now."""
        shown = self._redactor.line(_overwritten(self._line).removesuffix(b"\r"), is_whole=False)
        return entry_of(self._source, _decoded(shown)) if shown else None

    def close(self) -> None:
        """Write what is left."""
        while self.is_at_mark:
            self.pass_mark()
        self._add(self._waiting)
        self._waiting = b""
        if self._line:
            self._finish(self._line)
            self._line = b""

    def _write_up_to_mark(self) -> None:
        end = self._waiting.find(self._mark)
        if end < 0:
            end = len(self._waiting) - _begun(self._waiting, self._mark)
        written, self._waiting = self._waiting[:end], self._waiting[end:]
        self._add(written)

    def _add(self, data: bytes) -> None:
        *lines, rest = (self._line + data).split(b"\n")
        for line in lines:
            self._finish(line)
        self._line = _overwritten(rest)[:LONGEST_BYTES]

    def _finish(self, line: bytes) -> None:
        shown = _overwritten(line.removesuffix(b"\r"))[:LONGEST_BYTES]
        redacted = self._redactor.line(shown, is_whole=len(shown) < LONGEST_BYTES)
        self._write(entry_of(self._source, _decoded(redacted)))


def entry_of(source: str, line: str) -> Entry:
    """Return a line of a log as it is kept."""
    cut = line if len(line) <= LONGEST_LINE else line[:LONGEST_LINE] + CUT
    return Entry(round(time.time(), 3), source, legible(cut))


def _decoded(line: bytes) -> str:
    return line.decode("utf-8", "backslashreplace")


def _overwritten(line: bytes) -> bytes:
    """Return what a terminal shows of a line that goes back to its beginning, as progress bars do."""
    return line[line.rfind(b"\r", 0, -1) + 1 :]


def _begun(data: bytes, mark: bytes) -> int:
    """Return with how many of its first bytes the mark may begin at the end of the data."""
    return next((size for size in range(min(len(mark) - 1, len(data)), 0, -1) if data.endswith(mark[:size])), 0)
