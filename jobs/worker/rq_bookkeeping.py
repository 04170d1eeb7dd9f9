"""RQ's own record of jobs and their worker, in as few round trips to Redis as it can be kept true.

RQ spends about fifteen of them on a job. Our jobs have no results, dependents, callbacks or groups, so all that RQ's
dashboard and `rq info` show of them fits into one at the start and one at the end; and the end of a job shares the trip
of the next one's start, or of taking the one after that. The events of their runs travel along.
"""

import logging
from datetime import timedelta

from redis.exceptions import RedisError
from rq.executions import Execution
from rq.job import Job
from rq.queue import Queue
from rq.worker import BaseWorker, WorkerStatus

from jobs.runs import events
from jobs.runs.lease import Change
from jobs.runs.queue import WakeUp, named, take_next

log = logging.getLogger(__name__)


class RqBookkeeping:
    """Gathers what is to be told, until it is sent."""

    def __init__(self, worker: BaseWorker, queue: Queue) -> None:
        self._worker = worker
        self._queue = queue
        # No transaction: an event gets through also when Redis has no memory for the rest.
        self._pipeline = worker.connection.pipeline(transaction=False)
        self._execution: Execution | None = None
        self._busy = False

    @property
    def has_begun(self) -> bool:
        """Whether the start of the job at hand has been noted."""
        return self._execution is not None

    def changed(self, *changes: Change) -> None:
        """Tell the pages of each change's owner."""
        events.publish(self._pipeline, *changes)

    def began(self, job: Job) -> None:
        """Note that the worker executes the job."""
        ttl = self._worker.get_heartbeat_ttl(job)
        self._execution = Execution.create(job, ttl, pipeline=self._pipeline, worker_name=self._worker.name)
        self._worker.executions[self._execution.id] = self._execution
        self._worker.heartbeat(ttl, pipeline=self._pipeline)
        self._is_busy()
        job.prepare_for_execution(self._worker.name, pipeline=self._pipeline)
        self._pipeline.persist(job.key)
        self._leaves_queue(job)

    def ended(self, job: Job, seconds: float) -> None:
        """Note that the job has ended, which may be the first that is noted of it; nothing is kept of it."""
        self._worker.increment_successful_job_count(pipeline=self._pipeline)
        self._worker.increment_total_working_time(timedelta(seconds=seconds), self._pipeline)
        if self._execution is None:
            self._is_busy()
            self._leaves_queue(job)
        else:
            self._worker.cleanup_execution(job, pipeline=self._pipeline, execution=self._execution)
        self._execution = None
        self._pipeline.delete(job.key)

    def dropped(self, job: Job) -> None:
        """Note that there was nothing to do for the job."""
        self._leaves_queue(job)
        self._pipeline.delete(job.key)

    def failed(self, job: Job, reason: Exception) -> None:
        """Note why the job could not be seen through; RQ keeps that for a while, and its dashboard shows it."""
        if self._execution is None:
            self.began(job)
        self.send()
        try:
            assert self._execution
            job.refresh()
            self._worker._finalize_failure(job, self._queue, self._execution, (type(reason), reason, None))
        except Exception as error:  # whatever a damaged job makes RQ raise
            log.warning("RQ's record of job %s is incomplete (%s)", job.id, error)
        self._execution = None

    def idle(self) -> None:
        """Note that the worker has nothing at hand."""
        self._busy = False
        self._worker.set_state(WorkerStatus.IDLE, pipeline=self._pipeline)

    def send(self) -> None:
        """Tell Redis; what it does not take is lost: the sweeper, the pages' checks and RQ's expiries mend it."""
        try:
            self._pipeline.execute()
        except RedisError as error:
            log.warning("RQ's record and the events are incomplete (%s)", error)

    def send_and_take(self) -> WakeUp | None:
        """Tell Redis, and in the same trip take the next job, without waiting for one."""
        take_next(self._queue, self._pipeline)
        try:
            *told, found = self._pipeline.execute(raise_on_error=False)
        except RedisError as error:
            told, found = [error], None
        if failed := next((reply for reply in (*told, found) if isinstance(reply, Exception)), None):
            log.warning("RQ's record and the events are incomplete (%s)", failed)
        return named(self._queue, found) if isinstance(found, bytes) else None

    def put_back(self, job: Job) -> None:
        """Let others have a job that was taken; twice on the queue does no harm, and nowhere would delay its run."""
        self._queue.push_job_id(job.id, pipeline=self._pipeline, at_front=True)
        self._leaves_queue(job)

    def _is_busy(self) -> None:
        if not self._busy:
            self._busy = True
            self._worker.set_state(WorkerStatus.BUSY, pipeline=self._pipeline)

    def _leaves_queue(self, job: Job) -> None:
        self._pipeline.lrem(self._queue.intermediate_queue_key, 1, job.id)
