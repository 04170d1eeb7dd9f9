"""A page of memory shared by a worker and its child: the stop request and the latest progress.

Checking for a stop request is a memory read, so a task can do it as often as it likes. A progress report overwrites the
previous one and the worker reads it at its own pace, so no thread is needed to limit its rate.
"""

import mmap
import os
import struct
import tempfile
from typing import NamedTuple

SIZE = 4096
STOP, STARTED, READS = 0, 1, 2
COUNTER = 1  # in words of four bytes
PROGRESS = struct.Struct("=dH")
PROGRESS_AT = 8
TEXT_AT = PROGRESS_AT + PROGRESS.size
LONGEST_TEXT = SIZE - TEXT_AT
UNKNOWN = -1.0
MOST_LOOKS = 100


class ProgressReport(NamedTuple):
    """The fraction of a run that is done, from 0 to 1 or None if unknown, and a note."""

    fraction: float | None
    note: str


class SharedState:
    """One side's mapping of the page."""

    def __init__(self, file: int) -> None:
        self._memory = mmap.mmap(file, SIZE)
        # A word is written in one piece. `struct` would write zeros first, which another process may read.
        self._words = memoryview(self._memory).cast("I")
        self._counter = 0
        self._reported_after: int | None = None

    def close(self) -> None:
        self._words.release()
        self._memory.close()

    def request_stop(self) -> None:
        self._memory[STOP] = 1

    def stop_requested(self) -> bool:
        return bool(self._memory[STOP])

    def start(self) -> None:
        """Record that the task is about to be called."""
        self._memory[STARTED] = 1

    @property
    def started(self) -> bool:
        """Return whether the task has been called or is about to be."""
        return bool(self._memory[STARTED])

    def reset(self) -> None:
        """Clear the flags of the previous run."""
        self._memory[STOP] = self._memory[STARTED] = 0

    def write_progress(self, fraction: float | None, note: str) -> bool:
        """Write the progress and return whether the worker must be notified.

        No notification is needed while an earlier one is unread. Each side writes only its own bytes. The worker counts
        a read before it reads, so it either sees this value or the next call notifies it again.
        """
        text = note.encode("utf-8", "backslashreplace")[:LONGEST_TEXT]
        # An odd counter marks a write in progress (a seqlock).
        self._count()
        PROGRESS.pack_into(self._memory, PROGRESS_AT, UNKNOWN if fraction is None else fraction, len(text))
        self._memory[TEXT_AT : TEXT_AT + len(text)] = text
        self._count()
        reads = self._memory[READS]
        reported, self._reported_after = self._reported_after == reads, reads
        return not reported

    def read_progress(self) -> ProgressReport | None:
        """Return the latest progress, or None if it is being written throughout."""
        self._memory[READS] = (self._memory[READS] + 1) % 256
        for _ in range(MOST_LOOKS):
            before = self._words[COUNTER]
            fraction, length = PROGRESS.unpack_from(self._memory, PROGRESS_AT)
            text = self._memory[TEXT_AT : TEXT_AT + min(length, LONGEST_TEXT)]
            if before == self._words[COUNTER] and not before % 2:
                return ProgressReport(None if fraction < 0 else fraction, text.decode("utf-8", "ignore"))
        return None

    def _count(self) -> None:
        self._counter = (self._counter + 1) % 2**32
        self._words[COUNTER] = self._counter


def shared_file() -> int:
    """Return a descriptor of the memory for one SharedState."""
    if hasattr(os, "memfd_create"):
        file = os.memfd_create("run", os.MFD_CLOEXEC)
    else:
        with tempfile.TemporaryFile() as temporary:
            file = os.dup(temporary.fileno())
    os.ftruncate(file, SIZE)
    return file
