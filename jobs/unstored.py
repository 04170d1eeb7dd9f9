"""What a run has put out and its worker has still to store."""

import logging
import math
import time
from dataclasses import replace

from sqlalchemy.exc import InterfaceError, InternalError, OperationalError

from jobs import events, output
from jobs.backend import Backend
from jobs.batch import LARGEST_BYTES, Batch
from jobs.runs import Run
from jobs.store import RunFile

log = logging.getLogger(__name__)

AGAIN_SECONDS = 2.0
AWAY = (InterfaceError, InternalError, OperationalError)


class Unstored:
    """Batches in their order; while the database is away the oldest of a kind give way beyond LARGEST_BYTES.

    Files that the run has put into the file store are noted with the next batch, or before its outcome is recorded: so
    they are known when a page first sees what refers to them.
    """

    def __init__(self, backend: Backend, run: Run) -> None:
        self._backend = backend
        self._run = run
        self._batches: list[Batch] = []
        self._files: list[RunFile] = []
        self._not_before = -math.inf

    def add(self, batch: Batch) -> None:
        kind = [one for one in self._batches if one.kind == batch.kind] + [batch]
        while len(kind) > 1 and sum(one.size for one in kind) > LARGEST_BYTES:
            oldest, following, *rest = kind
            dropped = oldest.dropped + len(oldest.entries) + following.dropped
            kind = [replace(following, dropped=dropped), *rest]
        self._batches = [one for one in self._batches if one.kind != batch.kind] + kind

    def add_file(self, file: RunFile) -> None:
        self._files.append(file)

    def store(self) -> bool:
        """Store it all; False when the run is not this worker's any more. Raises one of AWAY, and then it is kept."""
        if not self._batches and not self._files:
            return True
        try:
            seconds = self._backend.settings.lease_seconds
            change = output.store(self._backend.database, self._run, self._batches, seconds, self._files)
        except AWAY:
            raise
        except Exception:  # it would fail again, and a run must not end with its log
            log.exception("what run %d has put out cannot be stored", self._run.id)
            self._clear()
            return True
        self._clear()
        if change:
            events.publish(self._backend.redis, change)
        return change is not None

    def try_to_store(self) -> bool:
        """The same, now and then, from a worker that has other things to do while the database is away."""
        if not self._batches or time.monotonic() < self._not_before:
            return True
        try:
            return self.store()
        except AWAY as error:
            log.warning("what run %d puts out waits (%s)", self._run.id, type(error).__name__)
            self._not_before = time.monotonic() + AGAIN_SECONDS
            return True

    def _clear(self) -> None:
        self._batches.clear()
        self._files.clear()
