"""Carries what a task puts out to its worker without slowing the task down, and without ever growing."""

import contextlib
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from jobs.batch import LARGEST_BYTES, Batch, Entry, Kind
from jobs.text import legible
from jobs.threads import OwnThread

log = logging.getLogger(__name__)

BATCHES_PER_SECOND = 5
BATCH_BYTES = 200_000
LONGEST_LINE = 10_000
CUT = f" … (cut after {LONGEST_LINE:,} characters)"


class Waiting:
    """The entries of one kind that wait, with their sizes; beyond LARGEST_BYTES the oldest give way and are counted."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._entries: deque[tuple[Entry, int]] = deque()
        self._size = 0
        self._dropped = 0

    def __bool__(self) -> bool:
        return bool(self._entries)

    def add(self, entry: Entry) -> None:
        size = entry.size
        self._entries.append((entry, size))
        self._size += size
        while self._size > LARGEST_BYTES and len(self._entries) > 1:
            self._pop()
            self._dropped += 1

    def take(self) -> Batch:
        """The oldest entries, as many as one batch may hold."""
        dropped, self._dropped = self._dropped, 0
        before, entries = self._size, [self._pop()]
        while self._entries and before - self._size + self._entries[0][1] <= BATCH_BYTES:
            entries.append(self._pop())
        return Batch(self._kind, entries, before - self._size, dropped)

    def _pop(self) -> Entry:
        entry, size = self._entries.popleft()
        self._size -= size
        return entry


class Spool:
    """Delivers what was added in batches from a thread of its own, at most so often; what is left when it closes, too.

    Adding never waits and never fails. A process that a task forks has a copy of this and its pipe: there, nothing may
    be sent, or both would write into one message.
    """

    def __init__(self, deliver: Callable[[Batch], None], per_second: float = BATCHES_PER_SECOND) -> None:
        self._deliver = deliver
        self._pause = 1.0 / per_second
        self._pid = os.getpid()
        self._waiting = {kind: Waiting(kind) for kind in Kind}
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def write(self, source: str, text: str) -> None:
        """Add lines to the log."""
        for line in text.split("\n"):
            cut = line if len(line) <= LONGEST_LINE else line[:LONGEST_LINE] + CUT
            self._add(Kind.LOG, Entry(round(time.time(), 3), source, legible(cut)))

    def emit(self, value: Any) -> None:
        """Add a partial result, which is plain JSON."""
        self._add(Kind.EMITTED, Entry(round(time.time(), 3), Kind.EMITTED, value))

    def close(self) -> None:
        """Deliver what is left and stop."""
        self._closing.set()
        with self._changed:
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()
        while batches := self._take():
            self._send(batches)

    def _add(self, kind: Kind, entry: Entry) -> None:
        if os.getpid() != self._pid or self._closing.is_set():
            return
        with self._changed:
            self._waiting[kind].add(entry)
            if self._thread is None:
                self._start()
            self._changed.notify()

    def _start(self) -> None:
        thread = OwnThread(self._run, "output")
        with contextlib.suppress(RuntimeError):  # no memory for a thread now: the next entry tries again, or `close`
            thread.start()
            self._thread = thread

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: any(self._waiting.values()) or self._closing.is_set())
            if self._closing.is_set():
                return
            self._send(self._take())
            self._closing.wait(self._pause)

    def _take(self) -> list[Batch]:
        with self._changed:
            return [waiting.take() for waiting in self._waiting.values() if waiting]

    def _send(self, batches: list[Batch]) -> None:
        try:
            for batch in batches:
                self._deliver(batch)
        except Exception:
            log.warning("what the task put out could not be delivered; the run goes on", exc_info=True)
