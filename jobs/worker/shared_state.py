"""The page of memory that a worker and the process of its run share: a request to stop, and the latest progress.

Reading a byte costs a task next to nothing, however often it asks; and a progress that is written over the one before
needs no thread that holds it back. The worker reads the latest when it is time to.
"""

import mmap
import os
import struct
import tempfile
from typing import NamedTuple

SIZE = 4096
STOP, STARTED, READS = 0, 1, 2
COUNTER = struct.Struct("@I")  # as the machine has it: written in one piece, not byte by byte
COUNTER_AT = 4
PROGRESS = struct.Struct("=dH")
PROGRESS_AT = 8
TEXT_AT = PROGRESS_AT + PROGRESS.size
LONGEST_TEXT = SIZE - TEXT_AT
UNKNOWN = -1.0
MOST_LOOKS = 100


class Progress(NamedTuple):
    """How far a run has come, from 0 to 1 if that is known, and a note."""

    fraction: float | None
    note: str


class SharedState:
    """The page as either side sees it."""

    def __init__(self, file: int) -> None:
        self._memory = mmap.mmap(file, SIZE)
        self._counter = 0
        self._told_after: int | None = None

    def close(self) -> None:
        self._memory.close()

    def request_stop(self) -> None:
        self._memory[STOP] = 1

    def stop_requested(self) -> bool:
        return bool(self._memory[STOP])

    def start(self) -> None:
        """Note that the task is about to be called."""
        self._memory[STARTED] = 1

    @property
    def started(self) -> bool:
        """Whether the task has been called, or is about to be."""
        return bool(self._memory[STARTED])

    def reset(self) -> None:
        """Forget the run before."""
        self._memory[STOP] = self._memory[STARTED] = 0

    def write_progress(self, fraction: float | None, note: str) -> bool:
        """Note how far the run has come; return whether the worker has to be told to read it.

        It has been told already unless it has read something since. Each side writes bytes of its own only: the worker
        counts a read before it reads, so that it either finds what is written here or has the next call tell it.
        """
        text = note.encode("utf-8", "backslashreplace")[:LONGEST_TEXT]
        # An odd count says that the rest is being written.
        self._count()
        PROGRESS.pack_into(self._memory, PROGRESS_AT, UNKNOWN if fraction is None else fraction, len(text))
        self._memory[TEXT_AT : TEXT_AT + len(text)] = text
        self._count()
        reads = self._memory[READS]
        told, self._told_after = self._told_after == reads, reads
        return not told

    def read_progress(self) -> Progress | None:
        """Return the latest progress, or None while it is being written."""
        self._memory[READS] = (self._memory[READS] + 1) % 256
        for _ in range(MOST_LOOKS):
            (before,) = COUNTER.unpack_from(self._memory, COUNTER_AT)
            fraction, length = PROGRESS.unpack_from(self._memory, PROGRESS_AT)
            text = self._memory[TEXT_AT : TEXT_AT + min(length, LONGEST_TEXT)]
            (after,) = COUNTER.unpack_from(self._memory, COUNTER_AT)
            if before == after and not before % 2:
                return Progress(None if fraction < 0 else fraction, text.decode("utf-8", "ignore"))
        return None

    def _count(self) -> None:
        self._counter = (self._counter + 1) % 2**32
        COUNTER.pack_into(self._memory, COUNTER_AT, self._counter)


def shared_file() -> int:
    """Return a descriptor of the memory for one SharedState."""
    if hasattr(os, "memfd_create"):
        file = os.memfd_create("run", os.MFD_CLOEXEC)
    else:
        with tempfile.TemporaryFile() as temporary:
            file = os.dup(temporary.fileno())
    os.ftruncate(file, SIZE)
    return file
