"""A worker's turn: the run of the job that RQ hands to it, and those of the jobs that wait right behind it.

A run that succeeds is recorded and the next one claimed in one transaction, and one that ends at once is told of once,
with its end, while the next one is executed already: with short tasks durable commits and what Redis is told are most
of what a run costs. For that the next job is taken while a run begins; one that does not end at once gives it back.
"""

import contextlib
import functools
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from rq.worker import BaseWorker

from jobs.runs.backend import Backend
from jobs.runs.lease import Change
from jobs.runs.queue import Refused, WakeUp
from jobs.runs.run import Run
from jobs.values.outcome import Outcome, Success
from jobs.worker import attempt
from jobs.worker.dispatch import NotRecorded
from jobs.worker.monitor import Callback
from jobs.worker.pending_output import PendingOutput
from jobs.worker.rq_bookkeeping import RqBookkeeping

log = logging.getLogger(__name__)

BURST_SECONDS = 1.0


@dataclass(frozen=True)
class Taken:
    """A job, and its run if that was taken along with the end of the run before."""

    job: WakeUp
    run: Run | None = None


class Burst:
    """Ends when no job waits, a run did not succeed, `may_go_on` says no, or after BURST_SECONDS."""

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

    def take(self, job: WakeUp) -> None:
        """Go through with it, beginning with this job."""
        taken: Taken | None = Taken(job)
        try:
            while taken:
                job = taken.job
                taken = self._see_through(taken)
        except Exception as error:
            log.exception("job %s could not be seen through", job.id)
            # RQ's dashboard shows the reason as it is: nothing of a run may be in it.
            reason = error if isinstance(error, Refused) else NotRecorded("The worker's log says why.")
            self._bookkeeping.failed(job, reason)
        self._put_back()
        self._bookkeeping.idle()
        self._bookkeeping.send()

    def _see_through(self, taken: Taken) -> Taken | None:
        """Execute the run of a job; what to go on with."""
        job = taken.job
        run = taken.run or attempt.take(self._backend, job.run_id, self._worker.name)
        if run is None:
            self._bookkeeping.dropped(job)
            return None
        began = time.monotonic()
        outcome, pending = self._execute(run, self._look_ahead, functools.partial(self._tell_start, job, run))
        seconds = time.monotonic() - began
        following = self._following(outcome)
        ended = attempt.end(self._backend, run, outcome, _named_by(following), pending)
        self._bookkeeping.changed(*ended.changes)
        self._bookkeeping.ended(job, seconds)
        return Taken(following, ended.following) if following else None

    def _look_ahead(self) -> None:
        """While a run begins: tell of the one before it and take the next job, in one trip."""
        if self._next is None and self._goes_on():
            self._next = self._bookkeeping.send_and_take()
        else:
            self._bookkeeping.send()

    def _tell_start(self, job: WakeUp, run: Run) -> None:
        """This run takes its time: tell that it runs, and let others have the next job."""
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
    """The run that a job names, if it does; one that does not is refused when it is at hand."""
    with contextlib.suppress(Refused):
        return job.run_id if job else None
    return None
