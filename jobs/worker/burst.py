"""Execute the run whose turn it is, then those after it.

For short tasks, most of a run's cost is durable commits and round trips to Redis. A burst saves both: recording one
run's success and claiming the next run share a transaction, and a run that finishes quickly is published only once, at
its end, while the next run is already executing. Each run uses up one of RQ's jobs, so that as many remain as runs
wait: the first one the job that RQ delivered, each further one another that is taken while the run starts.
"""

import functools
import logging
import time
from collections.abc import Callable, Sequence

from rq.worker import BaseWorker
from sqlalchemy.exc import SQLAlchemyError

from jobs.runs import limits, pauses
from jobs.runs.backend import Backend
from jobs.runs.lease import Change
from jobs.runs.queue import Refused, WakeUp
from jobs.runs.run import Run
from jobs.values.outcome import Interrupted, Outcome
from jobs.worker import attempt
from jobs.worker.dispatch import NotRecorded
from jobs.worker.monitor import Callback
from jobs.worker.pending_output import PendingOutput
from jobs.worker.rq_bookkeeping import RqBookkeeping
from jobs.worker.sweeper import revive

log = logging.getLogger(__name__)

BURST_SECONDS = 1.0


class Burst:
    """A sequence of runs executed back to back.

    It ends when no run waits, when a run does not succeed, when `may_go_on` returns False, or after BURST_SECONDS. It
    also ends when Redis is away: what waits then says that it will start when the queue is back.
    """

    def __init__(
        self,
        backend: Backend,
        worker: BaseWorker,
        take: Callable[[], Run | None],
        execute: Callable[[Run, Callback, Callback], tuple[Outcome, PendingOutput]],
        may_go_on: Callable[[], bool],
    ) -> None:
        self._backend = backend
        self._worker = worker
        self._take = take
        self._execute = execute
        self._may_go_on = may_go_on
        self._bookkeeping = RqBookkeeping(worker, backend.queue)
        self._ends_at = time.monotonic() + BURST_SECONDS
        self._job: WakeUp | None = None
        self._given_back: list[Change] = []
        self.has_deliveries = False
        """True if a run has ended for which messages to webhooks are due."""
        self.is_drained = False
        """True if the worker was given a job while it is drained. The job is put back, for others."""

    def take(self, job: WakeUp) -> None:
        """Execute the burst that this job starts."""
        self._job = job
        try:
            self._execute_runs(job)
        except Exception as error:
            log.exception("could not complete the run that was claimed for job %s", self._job and self._job.id)
            # RQ's dashboard shows the reason unchanged, so it must contain no data of the run.
            reason = error if isinstance(error, Refused) else NotRecorded("See the worker's log for the reason.")
            if self._job:
                self._bookkeeping.failed(self._job, reason)
        self._bookkeeping.idle()
        self._bookkeeping.send()
        # Only now: the job of a run that was given back may have the name of the one that has just been deleted.
        revive(self._backend, self._given_back)

    def _execute_runs(self, job: WakeUp) -> None:
        job.check()
        run = self._take()
        if run is None:
            self.is_drained = pauses.is_drained(self._backend.database, self._worker.name)
            (self._bookkeeping.put_back if self.is_drained else self._bookkeeping.dropped)(job)
        while run:
            run = self._execute_run(run)

    def _execute_run(self, run: Run) -> Run | None:
        """Execute a run and return the next one, or None to end the burst."""
        began = time.monotonic()
        outcome, pending = self._execute(run, self._take_job, functools.partial(self._announce_start, run))
        seconds = time.monotonic() - began
        ended = attempt.end(self._backend, run, outcome, pending, self._goes_on())
        self.has_deliveries |= any(change.has_deliveries for change in ended.changes)
        if isinstance(outcome, Interrupted):
            self._given_back = ended.changes
        else:
            self._bookkeeping.changed(*ended.changes)
        self._bookkeeping.ended(self._job, seconds)
        self._bookkeeping.freed(self._freed(run, ended.following))
        self._job = None
        return ended.following

    def _freed(self, run: Run, following: Run | None) -> Sequence[int]:
        """Return the runs that may start because this one has left, by id."""
        if run.limit_key is None and run.most_running < 0:
            return ()
        try:
            with self._backend.database.read() as session:
                return limits.waiting_for(session, run, following)
        except SQLAlchemyError:
            log.warning("could not look who waits for the end of run %d; the sweeper will", run.id, exc_info=True)
            return ()

    def _take_job(self) -> None:
        """Publish the previous run's end and take a job for this run, in one round trip, while the run starts.

        The first run has its job. There the round trip shows that Redis is there.
        """
        if self._job:
            self._bookkeeping.busy()
            self._bookkeeping.send()
        elif job := self._bookkeeping.send_and_take():
            try:
                job.check()
                self._job = job
            except Refused as reason:
                self._bookkeeping.failed(job, reason)

    def _announce_start(self, run: Run) -> None:
        """Publish that a longer run has started."""
        if self._job:
            self._bookkeeping.began(self._job)
        self._bookkeeping.changed(Change(run.id, run.owner_id, run.version))
        self._bookkeeping.send()

    def _goes_on(self) -> bool:
        return time.monotonic() < self._ends_at and not self._bookkeeping.is_cut_off and self._may_go_on()
