"""A worker watches one run: the task runs in a child, and this sees to everything around it.

All that may happen meanwhile is seen by one loop in one place: what the child puts out and asks for, its end, the time
that is up, the lease to renew, the owner's wish that it stops, and the worker's own leave. Nothing in it waits for the
child, whatever that does.
"""

import logging
import math
import select
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from jobs.authoring.file_parameters import files_in
from jobs.authoring.task import TaskSummary
from jobs.runs import checkpoints, events, lease
from jobs.runs.backend import Backend
from jobs.runs.output_entries import Entry
from jobs.runs.run import Run
from jobs.values.outcome import Failure, Interrupted, Lost, Outcome, Stopped, abrupt_end
from jobs.worker.attempt import order_for
from jobs.worker.execution import Emitted, Ended, Execution, Keep, Open, Received, Save
from jobs.worker.file_requests import FileRequests
from jobs.worker.pending_output import PendingOutput
from jobs.worker.shared_state import Progress
from jobs.worker.template_client import TemplateClient
from jobs.worker.wakeup_pipe import WakeupPipe

log = logging.getLogger(__name__)

AGAIN_SECONDS = 2.0
UNTOLD_SECONDS = 0.02
REPORT_SECONDS = 0.1
LOOK_SECONDS = 1.0
SHORT_LOOK_SECONDS = 0.1
END_SECONDS = 5.0
TERMINATED_SECONDS = 1.0
MOST_STARTS = 3

Callback = Callable[[], None]


@dataclass(frozen=True)
class WorkerContext:
    """What a worker has for all of its runs."""

    backend: Backend
    wakeup: WakeupPipe
    template: TemplateClient
    files: FileRequests
    leave_at: Callable[[], float]
    show_life: Callback


class Monitor:
    """One run, from its claim to its outcome."""

    def __init__(self, context: WorkerContext, run: Run, task: TaskSummary, folder: Path) -> None:
        self._backend = context.backend
        self._worker = context
        self._template = context.template
        self._run = run
        self._task = task
        self._keeper = task.name if task.keep else ""
        self._folder = folder
        self._renewal_seconds = self._backend.settings.lease_seconds / lease.RENEWALS_PER_LEASE
        self._renew_at = time.monotonic() + self._renewal_seconds
        self._end_at = self._kill_at = self._report_at = math.inf
        self._may_report_at = -math.inf
        self._tell_at = time.monotonic() + UNTOLD_SECONDS
        self._lost = False
        self._unsaved: Save | None = None
        self._child: Execution | None = None
        self._ended: Ended | None = None
        self.pending = PendingOutput(self._backend, run)
        """What the task has put out and could not be stored yet: it is to be, before its outcome is recorded."""

    def outcome(self, meanwhile: Callback, tell_start: Callback) -> Outcome:
        """Have the task called and watch it until it ends, or has to; of one that ends at once no start is told.

        `meanwhile` is done while the task begins.
        """
        try:
            for _start in range(MOST_STARTS):
                outcome = self._attempt(meanwhile, tell_start)
                if outcome is not None:
                    return outcome
            return Failure("ProcessKilled", "The process that was to execute this run ended before it could start.")
        finally:
            if self._child:  # whatever has gone wrong here, it must not go on
                self._give_back(self._child)

    def _attempt(self, meanwhile: Callback, tell_start: Callback) -> Outcome | None:
        """Execute the run in one child; None when that has ended before it began."""
        while self._child is None:
            if end := self._due_end():
                return end
            self._child = self._template.take(self._keeper)
            if self._child is None:
                self._wait(None)
                self._renew_when_due()
        child = self._child
        child.order(order_for(self._backend, self._run, self._task, self._folder))
        if self._kill_at < math.inf:  # the owner's wish came before there was a child to tell
            child.ask_to_stop()
        self._end_at = time.monotonic() + self._task.timeout
        meanwhile()
        outcome = self._watch(child, tell_start)
        self._child = None
        self._give_back(child)
        return outcome

    def _give_back(self, child: Execution) -> None:
        fit = self._ended is not None and self._ended.is_fit
        self._template.give_back(child, self._keeper if fit else "")
        self._template.prepare()

    # --- the loop

    def _watch(self, child: Execution, tell_start: Callback) -> Outcome | None:
        while True:
            self._wait(child)
            for heard in child.hear():
                self._take(child, heard)
            if self._ended:
                return self._at_end(child, self._ended.outcome)
            if (code := self._template.exit_code(child)) is not None:
                return self._after_exit(child, code)
            if self._template.is_lost(child):
                return self._at_end(child, Lost())
            # Not when its time is up: a Redis that hangs has perhaps taken that already, and would take as long again.
            if time.monotonic() >= self._tell_at and not self._due_end():
                self._tell_at = math.inf
                tell_start()
            if self._tell_at == math.inf:  # pages hear of the start before they hear of what was put out
                self._store_when_due(child)
                self._report_when_due(child)
            self._save(child)
            for stored in self._worker.files.answer(child):
                self.pending.add_file(stored)
            self._renew_when_due()
            if end := self._due_end():
                return self._end(child, end)

    def _wait(self, child: Execution | None) -> None:
        poll = select.poll()
        poll.register(self._worker.wakeup.fileno(), select.POLLIN)
        self._template.register(poll)
        if child:
            child.register(poll)
        ends_at = min(self._end_at, self._kill_at, self._worker.leave_at())
        outgoing = self._tell_at if self._tell_at < math.inf else min(self._report_at, self.pending.due_at)
        due = min(ends_at, self._renew_at, outgoing)
        look = LOOK_SECONDS if child else SHORT_LOOK_SECONDS
        poll.poll(1000 * max(0.0, min(due - time.monotonic(), look)))

    def _take(self, child: Execution, heard: Received) -> None:
        match heard:
            case Entry():
                self.pending.add_line(heard)
            case Emitted(value):
                self.pending.emit(value)
            case Progress():
                self._report_at = max(time.monotonic(), self._may_report_at)
            case Save():
                self._unsaved = heard
            case Keep():
                self._worker.files.keep(child, heard, lambda: self._child is child and self._kill_at == math.inf)
            case Open():
                if any(file.sha256 == heard.sha256 for file in files_in(self._run.parameters)):
                    self._worker.files.open(child, heard)
                else:
                    child.answer(None)
            case Ended():
                self._ended = heard

    def _due_end(self) -> Outcome | None:
        now = time.monotonic()
        if self._lost or now >= self._worker.leave_at():
            return Interrupted()
        if now >= self._kill_at:
            return Stopped()
        if now >= self._end_at:
            return Failure("Timeout", f"It ran longer than this task may take ({self._task.timeout:,g} s).")
        return None

    # --- the end

    def _at_end(self, child: Execution, outcome: Outcome) -> Outcome:
        """Hear what the child wrote last, and keep it for whoever records the outcome."""
        for heard in child.hear_the_rest():
            self._take(child, heard)
        if self._report_at < math.inf:
            self._report(child)
        return outcome

    def _after_exit(self, child: Execution, code: int) -> Outcome | None:
        """Return the outcome of a child whose process has ended; None if it never began."""
        self._at_end(child, Stopped())
        if self._ended:
            return self._ended.outcome
        if self._kill_at < math.inf:
            return Stopped()
        if code == -signal.SIGTERM and self._is_leaving():
            return Interrupted()
        if not child.started:
            return None
        return abrupt_end(code, self._task.memory)

    def _is_leaving(self) -> bool:
        """Return whether this worker is to leave: platforms send SIGTERM to all processes, and some hear it first."""
        deadline = time.monotonic() + TERMINATED_SECONDS
        while self._worker.leave_at() == math.inf and (left := deadline - time.monotonic()) > 0:
            select.select([self._worker.wakeup], [], [], left)
            self._worker.wakeup.was_woken()
        return self._worker.leave_at() < math.inf

    def _end(self, child: Execution, outcome: Outcome) -> Outcome:
        """Kill the child, and hear what it wrote until then."""
        self._template.kill(child)
        deadline = time.monotonic() + END_SECONDS
        while self._template.is_living(child) and (left := deadline - time.monotonic()) > 0:
            poll = select.poll()
            self._template.register(poll)
            child.register(poll)
            poll.poll(1000 * left)
            for heard in child.hear():
                self._take(child, heard)
        return self._at_end(child, outcome)

    # --- what is due

    def _renew_when_due(self) -> None:
        # A wakeup that rings may mean a stop request: the row says.
        if not self._worker.wakeup.was_woken() and time.monotonic() < self._renew_at:
            return
        try:
            hold = lease.renew(self._backend.database, self._run, self._backend.settings.lease_seconds)
        except SQLAlchemyError:
            log.warning("the lease of run %d could not be renewed yet", self._run.id, exc_info=True)
            self._renew_at = time.monotonic() + min(AGAIN_SECONDS, self._renewal_seconds)
            return
        self._renew_at = time.monotonic() + self._renewal_seconds
        self._worker.show_life()
        self._lost = hold is None
        if hold and hold.stop_requested and self._kill_at == math.inf:
            self._kill_at = time.monotonic() + self._task.grace
            if self._child:
                self._child.ask_to_stop()

    def _store_when_due(self, child: Execution) -> None:
        unfinished = child.unfinished()
        self.pending.note_unfinished(bool(unfinished))
        if time.monotonic() >= self.pending.due_at:
            self._lost |= not self.pending.try_to_store(unfinished)

    def _report_when_due(self, child: Execution) -> None:
        if time.monotonic() >= self._report_at:
            self._report_at = math.inf
            self._may_report_at = time.monotonic() + REPORT_SECONDS
            self._report(child)

    def _report(self, child: Execution) -> None:
        """Record how far the run has come; it goes on when that fails."""
        if (progress := child.progress()) is None:
            return
        try:
            change = lease.report(self._backend.database, self._run, progress.fraction, progress.note)
        except SQLAlchemyError as error:
            words = "the progress of run %d could not be recorded (%s); it goes on"
            log.warning(words, self._run.id, type(error).__name__)
            return
        if change:
            events.publish(self._backend.redis, change)

    def _save(self, child: Execution) -> None:
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
        child.answer(kept)
