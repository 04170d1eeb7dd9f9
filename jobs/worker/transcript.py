"""The log of a run, merged from its standard output, standard error and log records.

Log records arrive over another channel than the two streams. To keep the order, the child writes a mark to both streams
before it sends a record; output after a mark waits for its record.
"""

import time
from collections import deque
from collections.abc import Callable

from jobs.runs.output_entries import Entry
from jobs.values.text import legible
from jobs.worker.redaction import Redactor

LONGEST_LINE = 10_000
CUT = f" … (cut after {LONGEST_LINE:,} characters)"
# The limit of an unfinished line: the longest line in UTF-8, and one byte that shows that there was more.
LONGEST_BYTES = 4 * LONGEST_LINE + 1
MOST_WAITING = 1_000_000

Write = Callable[[Entry], None]


class Transcript:
    """Merges the lines of both streams and the log records in order."""

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
        """Return the unfinished lines, at most one per stream."""
        return [entry for stream in self._streams.values() if (entry := stream.unfinished())]

    def close(self) -> None:
        """Write all remaining data."""
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
    """The lines of one output stream."""

    def __init__(self, source: str, mark: bytes, redactor: Redactor, write: Write) -> None:
        self._source = source
        self._mark = mark
        self._redactor = redactor
        self._write = write
        self._line = b""
        self._waiting = b""  # unread data: a mark and what follows it, or the beginning of a mark

    @property
    def is_at_mark(self) -> bool:
        """Return whether the next unread bytes are a mark."""
        return self._waiting.startswith(self._mark)

    def feed(self, data: bytes) -> None:
        self._waiting += data
        if not self.is_at_mark:
            self._write_up_to_mark()
        while self.is_at_mark and len(self._waiting) > MOST_WAITING:  # its log record will not come
            self.pass_mark()

    def pass_mark(self) -> None:
        """Skip the mark and read on."""
        self._waiting = self._waiting.removeprefix(self._mark)
        self._write_up_to_mark()

    def unfinished(self) -> Entry | None:
        """Return the unfinished line as a terminal would show it, or None."""
        shown = self._redactor.line(_overwritten(self._line).removesuffix(b"\r"), is_whole=False)
        return entry_of(self._source, _decoded(shown)) if shown else None

    def close(self) -> None:
        """Write the remaining data."""
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
    """Return a log line as it is stored."""
    cut = line if len(line) <= LONGEST_LINE else line[:LONGEST_LINE] + CUT
    return Entry(round(time.time(), 3), source, legible(cut))


def _decoded(line: bytes) -> str:
    return line.decode("utf-8", "backslashreplace")


def _overwritten(line: bytes) -> bytes:
    """Return the part of a line after its last carriage return, as a terminal shows it."""
    return line[line.rfind(b"\r", 0, -1) + 1 :]


def _begun(data: bytes, mark: bytes) -> int:
    """Return the number of bytes at the end of the data that could begin the mark."""
    return next((size for size in range(min(len(mark) - 1, len(data)), 0, -1) if data.endswith(mark[:size])), 0)
