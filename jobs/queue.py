"""The one RQ queue, and how a run is put on it."""

from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer

QUEUE = "runs"
DISPATCHER = "jobs.dispatch.execute"

NO_TIMEOUT = -1  # the worker enforces the task's own, from outside the process that executes it
KEPT_FAILURE_SECONDS = 24 * 3600


def open_queue(redis: Redis) -> Queue:
    return Queue(QUEUE, connection=redis, serializer=JSONSerializer)


def job_id(run_id: int, attempt: int) -> str:
    return f"run-{run_id}-{attempt}"


def push(queue: Queue, run_id: int, attempt: int) -> None:
    """Wake a worker for a run; pushing the same attempt twice does no harm, because a run is claimed.

    Anybody who can write to Redis can name any function in a job. Ours name one, with a run's id as its only argument,
    serialised as JSON, and carry a constant description: nothing of a user's reaches the dashboard.
    """
    queue.enqueue_call(
        func=DISPATCHER,
        args=(run_id,),
        job_id=job_id(run_id, attempt),
        timeout=NO_TIMEOUT,
        result_ttl=0,
        failure_ttl=KEPT_FAILURE_SECONDS,
        description="a run",
    )
