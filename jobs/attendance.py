"""A worker attends to one run: the task runs in the work-horse, and this watches it from outside.

All that may happen meanwhile is seen by one loop in one place: the outcome, progress, output and checkpoints, the end
of the process, the time that is up, the lease to renew, the owner's wish that it stops, and the worker's own leave.
"""

import logging
import math
import time
from collections.abc import Callable
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from jobs import checkpoints, lease, people, workspace
from jobs.backend import Backend
from jobs.batch import Batch
from jobs.bell import Bell
from jobs.context import Checkpoint, User
from jobs.horse import Horse, HorseEnded, Report, Save
from jobs.outcome import Failure, Interrupted, Outcome, Stopped, Success
from jobs.perform import Order
from jobs.runs import Run
from jobs.sealed import tokens_in
from jobs.secrets import Secrets
from jobs.store import RunFile
from jobs.task import GRACE_SECONDS, TIMEOUT_SECONDS
from jobs.unstored import Unstored

log = logging.getLogger(__name__)

AGAIN_SECONDS = 2.0
UNTOLD_SECONDS = 0.02
MOST_STARTS = 3

Act = Callable[[], None]
Tell = Callable[[float | None, str], None]


class Attendance:
    """One run, from its claim to its outcome."""

    def __init__(
        self, backend: Backend, run: Run, bell: Bell, leave_at: Callable[[], float], show_life: Callable[[], None]
    ) -> None:
        task = backend.catalog.get(run.task)
        self._backend = backend
        self._task = task
        self._run = run
        self._bell = bell
        self._leave_at = leave_at
        self._show_life = show_life
        self._memory = task.memory if task else None
        self._timeout = task.timeout if task else TIMEOUT_SECONDS
        self._grace = task.grace if task else GRACE_SECONDS
        self._renewal_seconds = backend.settings.lease_seconds / lease.RENEWALS_PER_LEASE
        self._renew_at = time.monotonic() + self._renewal_seconds
        self._end_at = time.monotonic() + self._timeout
        self._kill_at = math.inf
        self._tell_at = time.monotonic() + UNTOLD_SECONDS
        self._lost = False
        self._unsaved: Save | None = None
        self.unstored = Unstored(backend, run)
        """What the task has put out and could not be stored yet: it is to be, before its outcome is recorded."""

    def outcome(self, fresh_horse: Callable[[], Horse], meanwhile: Act, tell_start: Act, tell: Tell) -> Outcome:
        """Have the task called and watch it until it ends, or has to; of one that ends at once no start is told.

        `meanwhile` is done while the task begins.
        """
        for _start in range(MOST_STARTS):
            horse = fresh_horse()
            horse.order(self._order())
            meanwhile()
            try:
                return self._watch(horse, tell_start, tell)
            except HorseEnded as ended:
                workspace.tidy(self._backend.workspaces)
                if ended.started:
                    return self._abrupt_end(ended)
        return Failure("ProcessKilled", "The process that was to execute this run ended before it could start.")

    def _order(self) -> Order:
        run, database = self._run, self._backend.database
        value = checkpoints.load(database, run.id) if self._asks_for(Checkpoint) else None
        owner = (run.owner_id, people.address_of(database, run.owner_id) if self._asks_for(User) else "")
        named = self._task.secrets if self._task else ()
        secrets = self._backend.vault.values(run.owner_id, named) if self._asks_for(Secrets) else {}
        opened = self._backend.vault.opened(run.owner_id, tokens_in(run.parameters))
        return Order(run.task, run.parameters, value, owner, str(self._backend.workspaces), secrets, opened)

    def _asks_for(self, kind: Any) -> bool:
        return self._task is not None and self._task.asks_for(kind)

    def _watch(self, horse: Horse, tell_start: Act, tell: Tell) -> Outcome:
        while True:
            heard = horse.listen(self._next() - time.monotonic(), self._bell.fileno())
            if isinstance(heard, Success | Failure | Stopped):
                return heard
            # Not when its time is up: a Redis that hangs has perhaps taken that already, and would take as long again.
            if self._tell_at < math.inf and (heard or time.monotonic() >= self._tell_at) and not self._due_end():
                self._tell_at = math.inf
                tell_start()
            if isinstance(heard, Report):
                tell(heard.fraction, heard.note)
            if isinstance(heard, Save):
                self._unsaved = heard
            if isinstance(heard, Batch):
                self.unstored.add(heard)
            if isinstance(heard, RunFile):
                self.unstored.add_file(heard)
            self._lost |= not self.unstored.try_to_store()
            self._save(horse)
            # A bell that rings may mean a stop request: the row says.
            if self._bell.heard() or time.monotonic() >= self._renew_at:
                self._renew(horse)
            if end := self._due_end():
                horse.kill()
                workspace.tidy(self._backend.workspaces)
                return end

    def _next(self) -> float:
        return min(self._tell_at, self._renew_at, self._end_at, self._kill_at, self._leave_at())

    def _due_end(self) -> Outcome | None:
        now = time.monotonic()
        if self._lost or now >= self._leave_at():
            return Interrupted()
        if now >= self._kill_at:
            return Stopped()
        if now >= self._end_at:
            return Failure("Timeout", f"It ran longer than this task may take ({self._timeout:,g} s).")
        return None

    def _renew(self, horse: Horse) -> None:
        try:
            hold = lease.renew(self._backend.database, self._run, self._backend.settings.lease_seconds)
        except SQLAlchemyError:
            log.warning("the lease of run %d could not be renewed yet", self._run.id, exc_info=True)
            self._renew_at = time.monotonic() + min(AGAIN_SECONDS, self._renewal_seconds)
            return
        self._renew_at = time.monotonic() + self._renewal_seconds
        self._show_life()
        self._lost = hold is None
        if hold and hold.stop_requested and self._kill_at == math.inf:
            horse.ask_to_stop()
            self._kill_at = time.monotonic() + self._grace

    def _save(self, horse: Horse) -> None:
        """Keep a checkpoint; while the database is away the task waits and this is tried again."""
        if self._unsaved is None:
            return
        try:
            value, seconds = self._unsaved.value, self._backend.settings.lease_seconds
            kept = checkpoints.save(self._backend.database, self._run, value, seconds)
        except SQLAlchemyError:
            log.warning("a checkpoint of run %d could not be kept yet", self._run.id, exc_info=True)
            return
        self._unsaved = None
        self._lost |= not kept
        horse.saved(kept)

    def _abrupt_end(self, ended: HorseEnded) -> Outcome:
        if self._kill_at < math.inf:
            return Stopped()
        hint = f"; perhaps it needed more memory than it may take ({self._memory:,} MB)" if self._memory else ""
        return Failure("ProcessKilled", f"The process that executed this run ended abruptly ({ended}){hint}.")
