"""Supervise one run whose task executes in a child process.

A single event loop handles everything that can happen meanwhile: the child's output and requests, its exit, the
timeout, lease renewals, the owner's request to stop, and the worker's own shutdown. The loop never blocks on the child,
whatever the child does.
"""

import math
import select
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from jobs.authoring.file_parameters import files_in
from jobs.authoring.task import TaskSummary
from jobs.runs.backend import Backend
from jobs.runs.output_entries import Entry
from jobs.runs.run import Run
from jobs.values.outcome import Failure, Interrupted, Lost, Outcome, Stopped, abrupt_end
from jobs.worker.attempt import order_for
from jobs.worker.execution import ChildEvent, Emitted, Ended, Execution, Keep, Open, Save
from jobs.worker.file_requests import FileRequests
from jobs.worker.run_updates import RunUpdates
from jobs.worker.shared_state import ProgressReport
from jobs.worker.template_client import TemplateClient
from jobs.worker.wakeup_pipe import WakeupPipe

ANNOUNCE_SECONDS = 0.02
LOOK_SECONDS = 1.0
SHORT_LOOK_SECONDS = 0.1
END_SECONDS = 5.0
TERMINATED_SECONDS = 1.0
MOST_STARTS = 3

Callback = Callable[[], None]


@dataclass(frozen=True)
class WorkerContext:
    """The resources that a worker shares among its runs."""

    backend: Backend
    wakeup: WakeupPipe
    template: TemplateClient
    files: FileRequests
    leave_at: Callable[[], float]
    show_life: Callback


class Monitor:
    """The supervision of one run, from its claim to its outcome."""

    def __init__(self, context: WorkerContext, run: Run, task: TaskSummary, folder: Path) -> None:
        self._backend = context.backend
        self._worker = context
        self._template = context.template
        self._run = run
        self._task = task
        self._keeper = task.name if task.keep else ""
        self._folder = folder
        self._updates = RunUpdates(context.backend, run, context.show_life)
        self._end_at = self._kill_at = math.inf
        self._announce_at = time.monotonic() + ANNOUNCE_SECONDS
        self._child: Execution | None = None
        self._ended: Ended | None = None
        self.pending = self._updates.pending
        """Output that is not stored yet. Store it before recording the outcome."""

    def outcome(self, meanwhile: Callback, announce_start: Callback) -> Outcome:
        """Run the task and supervise it until it finishes or must be stopped.

        `meanwhile` is called once the child has its order, so that it overlaps with the task's start. `announce_start`
        is called only if the task is still running after ANNOUNCE_SECONDS.
        """
        try:
            for _start in range(MOST_STARTS):
                outcome = self._attempt(meanwhile, announce_start)
                if outcome is not None:
                    return outcome
            return Failure("ProcessKilled", "The task's process ended before the run could start. Run it again.")
        finally:
            if self._child:  # still set only after an error: the child must not keep running
                self._give_back(self._child)

    def _attempt(self, meanwhile: Callback, announce_start: Callback) -> Outcome | None:
        """Execute the run in one child. Return None if the child ended before the task started."""
        while self._child is None:
            if end := self._due_end():
                return end
            self._child = self._template.take(self._keeper)
            if self._child is None:
                self._wait(None)
                self._renew_when_due()
        child = self._child
        child.order(order_for(self._backend, self._run, self._task, self._folder))
        if self._kill_at < math.inf:  # the stop was requested before there was a child
            child.ask_to_stop()
        self._end_at = time.monotonic() + self._task.timeout
        meanwhile()
        outcome = self._watch(child, announce_start)
        self._child = None
        self._give_back(child)
        return outcome

    def _give_back(self, child: Execution) -> None:
        fit = self._ended is not None and self._ended.is_fit
        self._template.give_back(child, self._keeper if fit else "")
        self._template.prepare()

    # --- the loop

    def _watch(self, child: Execution, announce_start: Callback) -> Outcome | None:
        while not self._has_ended(child):
            self._announce_when_due(announce_start)
            self._update(child)
            for stored in self._worker.files.answer(child):
                self.pending.add_file(stored)
            self._renew_when_due()
            if end := self._due_end():
                return self._end(child, end)
        return self._after_end(child)

    def _has_ended(self, child: Execution) -> bool:
        """Wait for something to happen, take what the child has sent, and return whether it has ended."""
        self._wait(child)
        for event in child.receive():
            self._take(child, event)
        if self._ended is not None:
            return True
        return self._template.exit_code(child) is not None or self._template.is_lost(child)

    def _announce_when_due(self, announce_start: Callback) -> None:
        # Skip this if the run is about to end: a hanging Redis may have used up the time already, and publishing the
        # start would block for as long again.
        if time.monotonic() >= self._announce_at and not self._due_end():
            self._announce_at = math.inf
            announce_start()

    def _update(self, child: Execution) -> None:
        if self._announce_at == math.inf:  # publish the start before any output
            self._updates.send_due(child)
        self._updates.save_checkpoint(child)

    def _wait(self, child: Execution | None) -> None:
        poll = select.poll()
        poll.register(self._worker.wakeup.fileno(), select.POLLIN)
        self._template.register(poll)
        if child:
            child.register(poll)
        ends_at = min(self._end_at, self._kill_at, self._worker.leave_at())
        outgoing = self._announce_at if self._announce_at < math.inf else self._updates.due_at
        due = min(ends_at, self._updates.renew_at, outgoing)
        look = LOOK_SECONDS if child else SHORT_LOOK_SECONDS
        poll.poll(1000 * max(0.0, min(due - time.monotonic(), look)))

    def _take(self, child: Execution, event: ChildEvent) -> None:
        match event:
            case Entry():
                self.pending.add_line(event)
            case Emitted(value):
                self.pending.emit(value)
            case ProgressReport():
                self._updates.note_progress()
            case Save():
                self._updates.note_checkpoint(event)
            case Keep():
                self._worker.files.keep(child, event, lambda: self._child is child and self._kill_at == math.inf)
            case Open():
                if any(file.sha256 == event.sha256 for file in files_in(self._run.parameters)):
                    self._worker.files.open(child, event)
                else:
                    child.answer(None)
            case Ended():
                self._ended = event

    def _renew_when_due(self) -> None:
        # A wakeup may mean a stop request. Renewing reads the row, which says so.
        if not self._worker.wakeup.was_woken() and time.monotonic() < self._updates.renew_at:
            return
        if self._updates.renew() and self._kill_at == math.inf:
            self._kill_at = time.monotonic() + self._task.grace
            if self._child:
                self._child.ask_to_stop()

    def _due_end(self) -> Outcome | None:
        now = time.monotonic()
        if self._updates.lease_lost or now >= self._worker.leave_at():
            return Interrupted()
        if now >= self._kill_at:
            return Stopped()
        if now >= self._end_at:
            return Failure("Timeout", f"Timed out after {self._task.timeout:,g} s.")
        return None

    # --- the end

    def _at_end(self, child: Execution, outcome: Outcome) -> Outcome:
        """Read the child's remaining output into `pending` and return the outcome."""
        for event in child.drain():
            self._take(child, event)
        self._updates.send_last_report(child)
        return outcome

    def _after_end(self, child: Execution) -> Outcome | None:
        """Return the outcome of a run whose child has ended, or None if the task never started."""
        if self._ended:
            return self._at_end(child, self._ended.outcome)
        if (code := self._template.exit_code(child)) is not None:
            return self._after_exit(child, code)
        return self._at_end(child, Lost())

    def _after_exit(self, child: Execution, code: int) -> Outcome | None:
        """Return the outcome of a child whose process has exited, or None if the task never started."""
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
        """Return whether this worker is shutting down.

        Platforms send SIGTERM to every process at once. The child may receive it first, so wait up to
        TERMINATED_SECONDS for the worker's own signal.
        """
        deadline = time.monotonic() + TERMINATED_SECONDS
        while self._worker.leave_at() == math.inf and (left := deadline - time.monotonic()) > 0:
            select.select([self._worker.wakeup], [], [], left)
            self._worker.wakeup.was_woken()
        return self._worker.leave_at() < math.inf

    def _end(self, child: Execution, outcome: Outcome) -> Outcome:
        """Kill the child, then read what it wrote until then."""
        self._template.kill(child)
        deadline = time.monotonic() + END_SECONDS
        while self._template.is_living(child) and (left := deadline - time.monotonic()) > 0:
            poll = select.poll()
            self._template.register(poll)
            child.register(poll)
            poll.poll(1000 * left)
            for event in child.receive():
                self._take(child, event)
        return self._at_end(child, outcome)
