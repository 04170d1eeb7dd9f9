"""Keep a run's row up to date while its task executes: lease renewals, progress, output and checkpoints.

While the database is unavailable, the task goes on and each update is tried again. Every update requires the lease;
once one finds it lost, the run belongs to another worker.
"""

import logging
import math
import time
from collections.abc import Callable

from sqlalchemy.exc import SQLAlchemyError

from jobs.runs import checkpoints, events, lease
from jobs.runs.backend import Backend
from jobs.runs.run import Run
from jobs.worker.execution import Execution, Save
from jobs.worker.pending_output import PendingOutput

log = logging.getLogger(__name__)

AGAIN_SECONDS = 2.0
REPORT_SECONDS = 0.1


class RunUpdates:
    """The updates of one run. `show_life` is called after each renewal."""

    def __init__(self, backend: Backend, run: Run, show_life: Callable[[], None]) -> None:
        self._backend = backend
        self._run = run
        self._show_life = show_life
        self._renewal_seconds = backend.settings.lease_seconds / lease.RENEWALS_PER_LEASE
        self._report_at, self._may_report_at = math.inf, -math.inf
        self._unsaved: Save | None = None
        self.renew_at = time.monotonic() + self._renewal_seconds
        self.lease_lost = False
        self.pending = PendingOutput(backend, run)
        """Output that is not stored yet. Store it before recording the outcome."""

    @property
    def due_at(self) -> float:
        """The time of the next report or write of output."""
        return min(self._report_at, self.pending.due_at)

    def note_progress(self) -> None:
        """Report the child's progress soon."""
        self._report_at = max(time.monotonic(), self._may_report_at)

    def note_checkpoint(self, request: Save) -> None:
        """Store a checkpoint soon. The task waits for the answer."""
        self._unsaved = request

    def renew(self) -> bool:
        """Renew the lease and return whether the owner has asked the run to stop."""
        try:
            hold = lease.renew(self._backend.database, self._run, self._backend.settings.lease_seconds)
        except SQLAlchemyError:
            log.warning("could not renew the lease of run %d; retrying", self._run.id, exc_info=True)
            self.renew_at = time.monotonic() + min(AGAIN_SECONDS, self._renewal_seconds)
            return False
        self.renew_at = time.monotonic() + self._renewal_seconds
        self._show_life()
        self.lease_lost = hold is None
        return hold is not None and hold.stop_requested

    def send_due(self, child: Execution) -> None:
        """Store output and report progress, if they are due."""
        unfinished = child.unfinished()
        self.pending.note_unfinished(bool(unfinished))
        if time.monotonic() >= self.pending.due_at:
            self.lease_lost |= not self.pending.try_to_store(unfinished)
        if time.monotonic() >= self._report_at:
            self._may_report_at = time.monotonic() + REPORT_SECONDS
            self.send_last_report(child)

    def send_last_report(self, child: Execution) -> None:
        """Record the progress that is noted, if any. A database error is logged and the run continues."""
        noted, self._report_at = self._report_at, math.inf
        if noted == math.inf or (progress := child.progress()) is None:
            return
        try:
            change = lease.report(self._backend.database, self._run, progress.fraction, progress.note)
        except SQLAlchemyError as error:
            log.warning("could not record the progress of run %d (%s)", self._run.id, type(error).__name__)
            return
        if change:
            events.publish_progress(self._backend.redis, change)

    def save_checkpoint(self, child: Execution) -> None:
        """Store the checkpoint that is noted, if any, and answer the task. On a database error, the task waits."""
        if self._unsaved is None:
            return
        try:
            value, seconds = self._unsaved.value, self._backend.settings.lease_seconds
            saved = checkpoints.save(self._backend.database, self._run, value, seconds)
        except SQLAlchemyError:
            log.warning("could not store a checkpoint of run %d; retrying", self._run.id, exc_info=True)
            return
        self._unsaved = None
        self.lease_lost |= not saved
        child.answer(saved)
