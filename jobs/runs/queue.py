"""The one RQ queue, and how a run is put on it."""

import logging
import re
from collections.abc import Iterable, Mapping
from typing import Any

from redis import Redis
from rq import Queue
from rq.command import send_command
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer
from rq.utils import as_text
from rq.worker_registration import REDIS_WORKER_KEYS, WORKERS_BY_QUEUE_KEY

from jobs.runs.run import LARGEST_ID

log = logging.getLogger(__name__)

QUEUE = "runs"
DISPATCHER = "jobs.worker.dispatch.execute"

NO_TIMEOUT = -1  # the worker enforces the task's own, from outside the process that executes it
KEPT_FAILURE_SECONDS = 24 * 3600
JOB_ID = re.compile(r"run-([1-9]\d{0,9})-\d{1,9}", re.ASCII)


class Refused(Exception):
    """A job asks for something else than to look at a run."""


class WakeUp(Job):
    """A job as it is read from Redis: believed are its id, which names a run, and its status.

    Anybody who can write to Redis can name any function in a job, and not only as the one to call: as a callback too,
    which RQ also calls for jobs that were abandoned. It may carry webhooks, retries and time-outs. Nothing of that is
    ours, so a record that holds it, by malice or by damage, is read as if it did not; and its function is not called.
    """

    def __init__(self, id: str | None = None, connection: Redis | None = None, serializer: Any = None) -> None:
        super().__init__(id, connection, serializer)
        self._be_ours()

    def restore(self, raw_data: dict[bytes, bytes]) -> None:
        status = raw_data.get(b"status", b"").decode(errors="replace")
        believed = {b"data": raw_data[b"data"]} if b"data" in raw_data else {}
        if status in set(JobStatus):
            believed[b"status"] = status.encode()
        super().restore(believed)
        self._be_ours()

    def _be_ours(self) -> None:
        self.origin, self.description = QUEUE, "a run"
        self.timeout, self.result_ttl, self.failure_ttl = NO_TIMEOUT, 0, KEPT_FAILURE_SECONDS

    @property
    def run_id(self) -> int:
        """Which run to look at. Raises Refused."""
        named = JOB_ID.fullmatch(self.id)
        if named and int(named[1]) <= LARGEST_ID:
            return int(named[1])
        raise Refused("This job asks for something else than to look at a run.")

    def perform(self) -> Any:
        raise Refused("A worker looks at the run that a job names; it calls no function.")


def open_queue(redis: Redis) -> Queue:
    return Queue(QUEUE, connection=redis, serializer=JSONSerializer, job_class=WakeUp)


def job_id(run_id: int, attempt: int) -> str:
    return f"run-{run_id}-{attempt}"


def push(queue: Queue, *runs: tuple[int, int]) -> None:
    """Wake workers for runs, each an id and an attempt; pushing one twice does no harm, because a run is claimed.

    A job carries a run's id as its only argument, serialised as JSON, and a constant description: nothing of a user's
    reaches the dashboard. What Redis holds of an earlier push is deleted, so that a damaged job heals.
    """
    jobs = [
        queue.prepare_data(
            DISPATCHER,
            args=(run_id,),
            job_id=job_id(run_id, attempt),
            timeout=NO_TIMEOUT,
            result_ttl=0,
            failure_ttl=KEPT_FAILURE_SECONDS,
            description="a run",
        )
        for run_id, attempt in runs
    ]
    with queue.connection.pipeline() as pipeline:
        pipeline.delete(*[queue.job_class.key_for(job.job_id) for job in jobs])
        queue.enqueue_many(jobs, pipeline=pipeline)
        pipeline.execute()


def take_next(queue: Queue, redis: Redis) -> None:
    """Take the next job, without waiting for one, with a pipeline whose reply tells its id."""
    redis.lmove(queue.key, queue.intermediate_queue_key)


def named(queue: Queue, found: bytes) -> WakeUp | None:
    """The job of an id that was taken; it is not read, for its id says enough. None for what cannot be an id."""
    try:
        return WakeUp(as_text(found), queue.connection, queue.serializer)
    except ValueError as error:
        log.warning("a job could not be taken (%s)", error)
        return None


def taken(queue: Queue) -> dict[str, int]:
    """The jobs that workers have taken and told nothing of yet, and the runs that they name. Raises RedisError."""
    found = ((job, JOB_ID.fullmatch(job)) for job in _texts(queue, queue.intermediate_queue_key))
    return {job: int(named[1]) for job, named in found if named and int(named[1]) <= LARGEST_ID}


def forget(queue: Queue, jobs: Iterable[str]) -> None:
    """Delete jobs that workers have taken and never told the end of. Raises RedisError."""
    with queue.connection.pipeline() as pipeline:
        for job in jobs:
            pipeline.lrem(queue.intermediate_queue_key, 0, job)
            pipeline.delete(queue.job_class.key_for(job))
        pipeline.execute()


def waiting(queue: Queue) -> set[str]:
    """The ids of the jobs that Redis has for our workers. Raises RedisError when it is away.

    Deleted is what RQ would stumble over for ever: ids that are no text, and keys that hold something else than it
    expects. Nothing in them is worth keeping, because what is true is in the database.
    """
    _delete_what_is_something_else(queue)
    _texts(queue, queue.intermediate_queue_key)
    return _texts(queue, queue.key)


def _texts(queue: Queue, key: str) -> set[str]:
    texts = set()
    for found in queue.connection.lrange(key, 0, -1):
        try:
            texts.add(as_text(found))
        except UnicodeDecodeError:
            queue.connection.execute_command("LREM", key, 0, found)
    return texts


def _delete_what_is_something_else(queue: Queue) -> None:
    registries = (
        queue.started_job_registry,
        queue.finished_job_registry,
        queue.failed_job_registry,
        queue.deferred_job_registry,
        queue.scheduled_job_registry,
        queue.canceled_job_registry,
    )
    sets = (queue.redis_queues_keys, REDIS_WORKER_KEYS, WORKERS_BY_QUEUE_KEY % queue.name)
    expected = {queue.key: b"list", queue.intermediate_queue_key: b"list"}
    expected |= dict.fromkeys(sets, b"set") | {registry.key: b"zset" for registry in registries}
    _delete_others(queue.connection, expected)
    _delete_others(queue.connection, dict.fromkeys(queue.connection.smembers(REDIS_WORKER_KEYS), b"hash"))


def _delete_others(redis: Redis, expected: Mapping[Any, bytes]) -> None:
    with redis.pipeline(transaction=False) as pipeline:
        for key in expected:
            pipeline.type(key)
        found = dict(zip(expected, pipeline.execute(), strict=True))
    if damaged := [key for key, kind in found.items() if kind not in (b"none", expected[key])]:
        log.warning("deleted from Redis, because they are not what they should be: %s", damaged)
        redis.delete(*damaged)


def wake(redis: Redis, worker: str) -> None:
    """Have a worker look at the row of the run that it executes; nothing is lost when this is."""
    send_command(redis, worker, "look")
