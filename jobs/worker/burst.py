"""Execute the run of the job that RQ delivers, then the runs of the jobs queued right behind it.

For short tasks, most of a run's cost is durable commits and round trips to Redis. A burst saves both: recording one
run's success and claiming the next run share a transaction, and a run that finishes quickly is published only once, at
its end, while the next run is already executing. To make this possible, the next job is taken while a run starts; a run
that does not finish quickly puts that job back on the queue.
"""

import contextlib
import functools
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from rq.worker import BaseWorker

from jobs.runs import pauses
from jobs.runs.backend import Backend
from jobs.runs.lease import Change
from jobs.runs.queue import Refused, WakeUp
from jobs.runs.run import Run
from jobs.values.outcome import Interrupted, Outcome, Success
from jobs.worker import attempt
from jobs.worker.dispatch import NotRecorded
from jobs.worker.monitor import Callback
from jobs.worker.pending_output import PendingOutput
from jobs.worker.rq_bookkeeping import RqBookkeeping
from jobs.worker.sweeper import revive

log = logging.getLogger(__name__)

BURST_SECONDS = 1.0


@dataclass(frozen=True)
class Taken:
    """A job, and its run if that was claimed together with the previous run's success."""

    job: WakeUp
    run: Run | None = None


class Burst:
    """A sequence of runs executed back to back.

    It ends when no job is queued, when a run does not succeed, when `may_go_on` returns False, or after BURST_SECONDS.
    """

    def __init__(
        self,
        backend: Backend,
        worker: BaseWorker,
        execute: Callable[[Run, Callback, Callback], tuple[Outcome, PendingOutput]],
        may_go_on: Callable[[], bool],
    ) -> None:
        self._backend = backend
        self._worker = worker
        self._execute = execute
        self._may_go_on = may_go_on
        self._bookkeeping = RqBookkeeping(worker, backend.queue)
        self._ends_at = time.monotonic() + BURST_SECONDS
        self._next: WakeUp | None = None
        self._given_back: list[Change] = []
        self.has_deliveries = False
        """True if a run has ended for which messages to webhooks are due."""
        self.is_drained = False
        """True if the worker was given a job while it is drained. The job is put back, for others."""

    def take(self, job: WakeUp) -> None:
        """Execute the burst, starting with this job."""
        taken: Taken | None = Taken(job)
        try:
            while taken:
                job = taken.job
                taken = self._execute_job(taken)
        except Exception as error:
            log.exception("could not complete job %s", job.id)
            # RQ's dashboard shows the reason unchanged, so it must contain no data of the run.
            reason = error if isinstance(error, Refused) else NotRecorded("See the worker's log for the reason.")
            self._bookkeeping.failed(job, reason)
        self._put_back()
        self._bookkeeping.idle()
        self._bookkeeping.send()
        # Only now: the job of a run that was given back has the name of the one that has just been deleted.
        revive(self._backend, self._given_back)

    def _execute_job(self, taken: Taken) -> Taken | None:
        """Execute the run of a job and return the next job, or None to end the burst."""
        job = taken.job
        run = taken.run or attempt.take(self._backend, job.run_id, self._worker.name)
        if run is None:
            self.is_drained = pauses.is_drained(self._backend.database, self._worker.name)
            (self._bookkeeping.put_back if self.is_drained else self._bookkeeping.dropped)(job)
            return None
        began = time.monotonic()
        outcome, pending = self._execute(run, self._look_ahead, functools.partial(self._announce_start, job, run))
        seconds = time.monotonic() - began
        following = self._following(outcome)
        ended = attempt.end(self._backend, run, outcome, _named_by(following), pending)
        self.has_deliveries |= any(change.has_deliveries for change in ended.changes)
        if isinstance(outcome, Interrupted):
            self._given_back = ended.changes
        else:
            self._bookkeeping.changed(*ended.changes)
        self._bookkeeping.ended(job, seconds)
        return Taken(following, ended.following) if following else None

    def _look_ahead(self) -> None:
        """Publish the previous run's end and take the next job, in one round trip, while the current run starts."""
        if self._next is None and self._goes_on():
            self._next = self._bookkeeping.send_and_take()
        else:
            self._bookkeeping.send()

    def _announce_start(self, job: WakeUp, run: Run) -> None:
        """Publish that a longer run has started, and put the next job back for other workers."""
        self._put_back()
        self._bookkeeping.began(job)
        self._bookkeeping.changed(Change(run.id, run.owner_id, run.version))
        self._bookkeeping.send()

    def _following(self, outcome: Outcome) -> WakeUp | None:
        if not isinstance(outcome, Success) or not self._goes_on():
            self._put_back()
            return None
        if self._bookkeeping.has_begun:
            return self._bookkeeping.send_and_take()
        following, self._next = self._next, None
        return following

    def _goes_on(self) -> bool:
        return time.monotonic() < self._ends_at and self._may_go_on()

    def _put_back(self) -> None:
        job, self._next = self._next, None
        if job:
            self._bookkeeping.put_back(job)


def _named_by(job: WakeUp | None) -> int | None:
    """Return the id of the run that a job names, or None; a job that names no run is refused when its turn comes."""
    with contextlib.suppress(Refused):
        return job.run_id if job else None
    return None
