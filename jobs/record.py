"""RQ's own record of a job and its worker, in as few round trips to Redis as it can be kept true.

RQ spends about fifteen of them on a job; these are two. Our jobs have no results, dependents, callbacks or groups,
so all that RQ's dashboard and `rq info` show of them fits into one transaction at the start and one at the end.
"""

from rq.executions import Execution
from rq.job import Job
from rq.queue import Queue
from rq.utils import now
from rq.worker import BaseWorker, WorkerStatus


def begin(worker: BaseWorker, job: Job, queue: Queue) -> Execution:
    """Note that the worker executes the job, and that the job has left the queue for good."""
    ttl = worker.get_heartbeat_ttl(job)
    with worker.connection.pipeline() as pipeline:
        execution = Execution.create(job, ttl, pipeline=pipeline, worker_name=worker.name)
        worker.executions[execution.id] = execution
        worker.set_state(WorkerStatus.BUSY, pipeline=pipeline)
        worker.heartbeat(ttl, pipeline=pipeline)
        job.prepare_for_execution(worker.name, pipeline=pipeline)
        pipeline.persist(job.key)
        pipeline.lrem(queue.intermediate_queue_key, 1, job.id)
        pipeline.execute()
    return execution


def finish(worker: BaseWorker, job: Job, execution: Execution) -> None:
    """Note that the job has ended and the worker is idle; nothing is kept of the job."""
    job.ended_at = now()
    with worker.connection.pipeline() as pipeline:
        worker.increment_successful_job_count(pipeline=pipeline)
        if job.started_at:
            worker.increment_total_working_time(job.ended_at - job.started_at, pipeline)
        worker.cleanup_execution(job, pipeline=pipeline, execution=execution)
        pipeline.delete(job.key)
        worker.set_state(WorkerStatus.IDLE, pipeline=pipeline)
        pipeline.execute()
