"""Maintain RQ's records of jobs and workers with as few round trips to Redis as possible.

RQ needs about fifteen round trips for a job. Our jobs have no results, dependents, callbacks or groups, so everything
that RQ's dashboard and `rq info` show takes one round trip at the start and one at the end. The end of a job shares its
round trip with the start or the dequeueing of the next. Run events are sent in the same pipeline.
"""

import logging
from collections.abc import Collection
from datetime import timedelta

from redis.exceptions import RedisError
from rq.executions import Execution
from rq.job import Job
from rq.queue import Queue
from rq.worker import BaseWorker, WorkerStatus

from jobs.runs import events
from jobs.runs.lease import Change
from jobs.runs.queue import WakeUp, named, push_again, take_next

log = logging.getLogger(__name__)


class RqBookkeeping:
    """A pipeline that collects updates until they are sent."""

    def __init__(self, worker: BaseWorker, queue: Queue) -> None:
        self._worker = worker
        self._queue = queue
        # No transaction: events are still published when Redis has no memory for the writes.
        self._pipeline = worker.connection.pipeline(transaction=False)
        self._execution: Execution | None = None
        self._busy = False
        self.is_cut_off = False
        """True if Redis did not do what it was asked."""

    def changed(self, *changes: Change) -> None:
        """Queue an event for each change's owner."""
        events.publish(self._pipeline, *changes)

    def began(self, job: Job) -> None:
        """Record that the worker is executing the job."""
        ttl = self._worker.get_heartbeat_ttl(job)
        self._execution = Execution.create(job, ttl, pipeline=self._pipeline, worker_name=self._worker.name)
        self._worker.executions[self._execution.id] = self._execution
        self._worker.heartbeat(ttl, pipeline=self._pipeline)
        self.busy()
        job.prepare_for_execution(self._worker.name, pipeline=self._pipeline)
        self._pipeline.persist(job.key)
        self._leaves_queue(job)

    def ended(self, job: Job | None, seconds: float) -> None:
        """Record that a run has ended, and delete its job if it had one, even if its start was not recorded."""
        self._worker.increment_successful_job_count(pipeline=self._pipeline)
        self._worker.increment_total_working_time(timedelta(seconds=seconds), self._pipeline)
        if self._execution is None:
            self.busy()
        if job and self._execution:
            self._worker.cleanup_execution(job, pipeline=self._pipeline, execution=self._execution)
            self._pipeline.delete(job.key)
        elif job:
            self.dropped(job)
        self._execution = None

    def freed(self, run_ids: Collection[int]) -> None:
        """Wake workers for runs that may start now."""
        if run_ids:
            push_again(self._queue, run_ids, self._pipeline)

    def dropped(self, job: Job) -> None:
        """Delete a job that needed no work."""
        self._leaves_queue(job)
        self._pipeline.delete(job.key)

    def put_back(self, job: Job) -> None:
        """Put a taken job back on the queue. A duplicate is harmless; a lost job would delay a run."""
        self._queue.push_job_id(job.id, pipeline=self._pipeline, at_front=True)
        self._leaves_queue(job)

    def failed(self, job: Job, reason: Exception) -> None:
        """Record why the job could not be completed. RQ keeps the reason for a while and shows it in its dashboard."""
        if self._execution is None:
            self.began(job)
        self.send()
        try:
            assert self._execution
            job.refresh()
            self._worker._finalize_failure(job, self._queue, self._execution, (type(reason), reason, None))
        except Exception as error:  # whatever a damaged job makes RQ raise
            log.warning("could not record the failure of job %s in RQ (%s)", job.id, error)
        self._execution = None

    def busy(self) -> None:
        """Record that the worker is busy."""
        if not self._busy:
            self._busy = True
            self._worker.set_state(WorkerStatus.BUSY, pipeline=self._pipeline)

    def idle(self) -> None:
        """Record that the worker is idle."""
        self._busy = False
        self._worker.set_state(WorkerStatus.IDLE, pipeline=self._pipeline)

    def send(self) -> None:
        """Send the updates. Lost ones are repaired by the sweeper, by the pages' checks and by RQ's expiries."""
        try:
            self._pipeline.execute()
        except RedisError as error:
            self.is_cut_off = True
            log.warning("RQ's record and the events are incomplete (%s)", error)

    def send_and_take(self) -> WakeUp | None:
        """Send the updates and, in the same round trip, take the next job without blocking. Return None if none."""
        take_next(self._queue, self._pipeline)
        try:
            *replies, found = self._pipeline.execute(raise_on_error=False)
        except RedisError as error:
            replies, found = [error], None
        if failed := next((reply for reply in (*replies, found) if isinstance(reply, Exception)), None):
            self.is_cut_off = True
            log.warning("RQ's record and the events are incomplete (%s)", failed)
        return named(self._queue, found) if isinstance(found, bytes) else None

    def _leaves_queue(self, job: Job) -> None:
        self._pipeline.lrem(self._queue.intermediate_queue_key, 1, job.id)
