"""The process's own output while a task that was given secrets is called: put aside, heard and covered.

What other programs and C libraries write goes past Python, to the file descriptors 1 and 2. Meanwhile each is a file
without a name, in memory where the system can do that, which is read every tenth of a second and once more at the end.
A pipe would need a reader that is always prompt: a library that holds the interpreter's lock and writes more than it
holds would wait for ever. Nobody ever waits for a file, and a program that is left behind and keeps it open holds up
nobody either. What was read is given back to the system at once; of what comes faster than that the newest stays.
"""

import contextlib
import io
import logging
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from typing import Protocol, TextIO, cast

from jobs import process
from jobs.secrets import Cover
from jobs.threads import OwnThread

LOOK_SECONDS = 0.1
MOST_BYTES = 1_000_000
NUMBERS = {"out": 1, "err": 2}


class Listener(Protocol):
    """Whose the output is."""

    def feed_from_beneath(self, source: str, data: bytes) -> None:
        """Hear what was written."""

    def leave_out(self, source: str, count: int) -> None:
        """Hear that so many bytes are lost."""

    @property
    def goes_on(self) -> bool:
        """Whether somebody who knows what must not be seen can write to this process's output for ever."""


class Aside(io.TextIOBase):
    """Writes to where a descriptor led before, covered: for what is not the task's, and what others log of it."""

    def __init__(self, descriptor: int, cover: Cover) -> None:
        self._descriptor = descriptor
        self._cover = cover
        self._writing = threading.Lock()

    def write(self, text: str) -> int:
        data = self._cover.text(text).encode("utf-8", "backslashreplace")
        with self._writing:
            while data and not self.closed:
                data = data[os.write(self._descriptor, data) :]
        return len(text)

    def close(self) -> None:
        with self._writing:
            super().close()


class Taken:
    """One descriptor that is a file for a while."""

    def __init__(self, number: int, cover: Cover) -> None:
        self._number = number
        self._place = 0
        self._mid_line = False
        self._before = os.dup(number)
        self.aside = Aside(self._before, cover)
        try:
            self._file = process.nameless_file()
            os.dup2(self._file, number)
        except BaseException:
            os.close(self._before)
            raise

    def give_back(self) -> None:
        os.dup2(self._before, self._number)

    def read(self) -> tuple[int, bytes]:
        """How many bytes were left out, and those that follow."""
        size = os.fstat(self._file).st_size
        if size < self._place:  # somebody has written it anew: a shell does that for `> /dev/stderr`
            self._place = 0
        start = max(self._place, size - MOST_BYTES)
        data = os.pread(self._file, size - start, start)
        left_out, self._place = start - self._place, start + len(data)
        process.free(self._file, self._place)
        # A secret that was cut in two would not be found.
        self._mid_line = self._mid_line or left_out > 0
        if self._mid_line:
            _half, end, data = data.partition(b"\n")
            self._mid_line = not end
        return left_out, data

    def close(self) -> None:
        """Let go of it; what somebody who still has it open writes there from now on is refused, and kept nowhere."""
        self.aside.close()
        os.close(self._before)
        process.shut(self._file)
        os.close(self._file)


class Descriptors:
    """Those of this process that its output goes to, taken until they are given back."""

    def __init__(self, cover: Cover, listener: Listener) -> None:
        self._pid = os.getpid()
        self._listener = listener
        self._reading = threading.Lock()
        self._over = threading.Event()
        self._taken: dict[str, Taken] = {}
        self._thread = OwnThread(self._read_on, "descriptors")
        try:
            for source, stream in (("out", sys.__stdout__), ("err", sys.__stderr__)):
                if stream is not None:  # otherwise this number is anybody's
                    self._taken[source] = Taken(NUMBERS[source], cover)
        except BaseException:
            self.give_back()
            raise

    @property
    def aside(self) -> Mapping[str, TextIO]:
        return {source: cast(TextIO, taken.aside) for source, taken in self._taken.items()}

    def start(self) -> None:
        with contextlib.suppress(RuntimeError):  # no memory for a thread: all is read at the end
            self._thread.start()

    def give_back(self) -> None:
        """Have the descriptors lead where they did, and hear what was written last.

        After a task that goes on in threads of its own they lead nowhere from now on.
        """
        global _are_lost
        if os.getpid() != self._pid:  # a copy that a task has forked
            return
        if self._listener.goes_on:
            _are_lost = True
        else:
            for taken in self._taken.values():
                taken.give_back()
        self._over.set()
        if self._thread.ident is not None:
            self._thread.join()
        try:
            self._read()
        finally:
            for taken in self._taken.values():
                taken.close()

    def _read_on(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            with contextlib.suppress(MemoryError):  # what the task may take is its own: the next look reads it
                self._read()

    def _read(self) -> None:
        with self._reading:
            for source, taken in self._taken.items():
                left_out, data = taken.read()
                if left_out:
                    self._listener.leave_out(source, left_out)
                if data:
                    self._listener.feed_from_beneath(source, data)


_are_lost = False


def are_lost() -> bool:
    """Whether the process's own output leads nowhere any more, and it had better end."""
    return _are_lost


@contextlib.contextmanager
def taken(cover: Cover, listener: Listener, streams: Mapping[str, TextIO | None]) -> Iterator[Mapping[str, TextIO]]:
    """Hear what goes to the process's own output meanwhile; gives what writes to where it went before.

    `streams` are those of Python that wrote there: who logs through one of them goes on, covered.
    """
    real = [(source, stream) for source, stream in (*streams.items(), *_own().items()) if stream is not None]
    _flush(real)
    descriptors = Descriptors(cover, listener)
    try:
        descriptors.start()
        with _logging_aside({id(stream): descriptors.aside[source] for source, stream in real}):
            yield descriptors.aside
    finally:
        _flush(real)
        descriptors.give_back()


def _own() -> dict[str, TextIO | None]:
    return {"out": sys.__stdout__, "err": sys.__stderr__}


def _flush(streams: list[tuple[str, TextIO]]) -> None:
    """Have what was written, by Python and by C, go where it was meant to go when it was."""
    process.flush_c_output()
    for _source, stream in streams:
        with contextlib.suppress(OSError, ValueError):
            stream.flush()


@contextlib.contextmanager
def _logging_aside(asides: Mapping[int, TextIO]) -> Iterator[None]:
    """Have the handlers that log to the process's own output write aside."""
    others = [one for one in logging.root.manager.loggerDict.values() if isinstance(one, logging.Logger)]
    handlers = {handler for logger in (logging.root, *others) for handler in logger.handlers}
    streaming = [handler for handler in handlers if isinstance(handler, logging.StreamHandler)]
    moved = [(handler, handler.stream) for handler in streaming if id(handler.stream) in asides]
    try:
        for handler, stream in moved:
            handler.setStream(asides[id(stream)])
        yield
    finally:
        for handler, stream in moved:
            handler.setStream(stream)
