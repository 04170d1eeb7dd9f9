"""Buffer a run's output until its worker has stored it."""

import logging
import math
import time
from collections import deque
from collections.abc import Sequence
from typing import Any

from jobs.runs import events, output
from jobs.runs.backend import Backend
from jobs.runs.lease import Change
from jobs.runs.output_entries import LARGEST_BYTES, Batch, Entry, OutputKind
from jobs.runs.run import Run
from jobs.storage.database import AWAY
from jobs.values.stored_file import RunFile

log = logging.getLogger(__name__)

STORE_SECONDS = 0.2
AGAIN_SECONDS = 2.0
BATCH_BYTES = 200_000


class Waiting:
    """The entries of one kind that wait, with their sizes; beyond LARGEST_BYTES the oldest give way and are counted."""

    def __init__(self, kind: OutputKind) -> None:
        self._kind = kind
        self._entries: deque[tuple[Entry, int]] = deque()
        self._size = 0
        self._dropped = 0

    def add(self, entry: Entry) -> None:
        size = entry.size
        self._entries.append((entry, size))
        self._size += size
        while self._size > LARGEST_BYTES and len(self._entries) > 1:
            self._pop()
            self._dropped += 1

    def batches(self) -> list[Batch]:
        """Return all of them in batches of up to BATCH_BYTES; they still wait."""
        batches: list[Batch] = []
        entries: list[Entry] = []
        size, dropped = 0, self._dropped
        for entry, of_it in self._entries:
            if entries and size + of_it > BATCH_BYTES:
                batches.append(Batch(self._kind, entries, size, dropped))
                entries, size, dropped = [], 0, 0
            entries.append(entry)
            size += of_it
        return [*batches, Batch(self._kind, entries, size, dropped)] if entries else batches

    def clear(self) -> None:
        self._entries.clear()
        self._size = self._dropped = 0

    def _pop(self) -> None:
        _entry, size = self._entries.popleft()
        self._size -= size


class PendingOutput:
    """Lines, partial results and files in their order; while the database is away the oldest of a kind give way.

    Files that the run has put into the file store are noted with what is stored next, or before its outcome is
    recorded: so they are known when a page first sees what refers to them. Lines that have no end yet are stored as
    they are, and again when they have changed.
    """

    def __init__(self, backend: Backend, run: Run) -> None:
        self._backend = backend
        self._run = run
        self._waiting = {kind: Waiting(kind) for kind in OutputKind}
        self._files: list[RunFile] = []
        self._shown: list[tuple[str, Any]] = []
        self._store_at = math.inf
        self._not_before = -math.inf

    @property
    def due_at(self) -> float:
        """When there is something to store, by the steady clock."""
        return self._store_at

    def add_line(self, entry: Entry) -> None:
        self._waiting[OutputKind.LOG].add(entry)
        self._is_due()

    def emit(self, value: Any) -> None:
        self._waiting[OutputKind.EMITTED].add(emitted_entry(value))
        self._is_due()

    def add_file(self, file: RunFile) -> None:
        self._files.append(file)

    def note_unfinished(self, is_there: bool) -> None:
        """Note whether a line was begun and not ended: after a pause it is stored as it is."""
        if self._store_at == math.inf and (is_there or self._shown):
            self._store_at = max(time.monotonic() + STORE_SECONDS, self._not_before)

    def store(self, unfinished: Sequence[Entry] = ()) -> bool:
        """Store it all, and the lines that have no end yet; False when the run is not this worker's any more.

        Raises one of AWAY, and then it is kept.
        """
        batches = [batch for waiting in self._waiting.values() for batch in waiting.batches()]
        lines = [(line.source, line.content) for line in unfinished]
        if not batches and not self._files and lines == self._shown:
            self._store_at = math.inf
            return True
        try:
            change = self._write(batches, unfinished)
        except AWAY:
            raise
        except Exception:  # it would fail again, and a run must not end with its log
            log.exception("discarded output of run %d that could not be stored", self._run.id)
            self._clear()
            return True
        self._shown = lines
        self._clear()
        if change:
            events.publish_progress(self._backend.redis, change)
        return change is not None

    def try_to_store(self, unfinished: Sequence[Entry]) -> bool:
        """Do the same from a worker that has other things to do while the database is away."""
        try:
            return self.store(unfinished)
        except AWAY as error:
            log.warning("could not store the output of run %d (%s); retrying", self._run.id, type(error).__name__)
            self._store_at = self._not_before = time.monotonic() + AGAIN_SECONDS
            return True

    def _write(self, batches: Sequence[Batch], unfinished: Sequence[Entry]) -> Change | None:
        seconds, replaces = self._backend.settings.lease_seconds, bool(self._shown)
        return output.store(self._backend.database, self._run, batches, seconds, self._files, unfinished, replaces)

    def _is_due(self) -> None:
        self._store_at = min(self._store_at, max(time.monotonic(), self._not_before))

    def _clear(self) -> None:
        for waiting in self._waiting.values():
            waiting.clear()
        self._files.clear()
        self._store_at = math.inf
        self._not_before = time.monotonic() + STORE_SECONDS


def emitted_entry(value: Any) -> Entry:
    """Return a partial result as it is kept."""
    return Entry(round(time.time(), 3), OutputKind.EMITTED, value)
