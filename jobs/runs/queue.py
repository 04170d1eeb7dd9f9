"""The RQ queue of runs: push jobs, take them, and forget them.

A job is pushed for every run that waits, and named after it. To a worker it only says that a run waits: the worker
claims the one whose turn it is (jobs.runs.turns), whichever job woke it, and uses up one job for each run that it
claims. So as many jobs are on the queue as runs wait, but after a while not those that are named after them.
"""

import logging
import random
import re
from collections.abc import Iterable
from typing import Any

from redis import Redis
from rq import Queue
from rq.command import send_command
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer
from rq.utils import as_text

from jobs.runs.run import LARGEST_ID

log = logging.getLogger(__name__)

QUEUE = "runs"
DISPATCHER = "jobs.worker.dispatch.execute"

NO_TIMEOUT = -1  # the worker enforces the task's own, from outside the process that executes it
KEPT_FAILURE_SECONDS = 24 * 3600
NUMBERS = (10**8, 10**9 - 1)  # in the place of an attempt, none of which comes so far
JOB_ID = re.compile(r"run-([1-9]\d{0,18})-\d{1,9}", re.ASCII)


class Refused(Exception):
    """A job that does not name a run, or that asks to call a function."""


class WakeUp(Job):
    """A job read from Redis, of which only the id, by which ours are known, and the status are trusted.

    Anyone who can write to Redis can put any function into a job, also as a callback, which RQ calls even for abandoned
    jobs; and also webhooks, retries and timeouts. Our jobs use none of these. They are ignored when a record is read,
    whether they come from an attacker or from damage, and the job's function is never called.
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

    def check(self) -> None:
        """Raise Refused if this job does not name a run, and so is not ours."""
        named = JOB_ID.fullmatch(self.id)
        if not named or int(named[1]) > LARGEST_ID:
            raise Refused("This job does not name a run.")

    def perform(self) -> Any:
        raise Refused("Workers execute the run whose turn it is; they never call a job's function.")


def open_queue(redis: Redis) -> Queue:
    return Queue(QUEUE, connection=redis, serializer=JSONSerializer, job_class=WakeUp)


def job_id(run_id: int, attempt: int) -> str:
    return f"run-{run_id}-{attempt}"


def push(queue: Queue, *runs: tuple[int, int], pipeline: Any = None) -> None:
    """Push a job for each run, given as id and attempt, with the commands of the pipeline if there is one.

    Pushing twice is harmless: a worker that finds no run drops the job. A job carries only the run's id, serialised as
    JSON, and a constant description, so that no user data reaches RQ's dashboard.
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
    queue.enqueue_many(jobs, pipeline=pipeline)


def push_again(queue: Queue, run_ids: Iterable[int], pipeline: Any = None) -> None:
    """Push one more job for each of these runs, whose own may have been used up while nothing could start.

    It has a name of its own: a worker may hold a job with the usual one, and deletes it by its name.
    """
    push(queue, *[(run_id, random.randint(*NUMBERS)) for run_id in run_ids], pipeline=pipeline)


def take_next(queue: Queue, redis: Redis) -> None:
    """Take the next job without blocking. `redis` may be a pipeline, whose reply is the job's id."""
    redis.lmove(queue.key, queue.intermediate_queue_key)


def named(queue: Queue, found: bytes) -> WakeUp | None:
    """Return the job of a taken id without reading its record, or None if the id is invalid."""
    try:
        return WakeUp(as_text(found), queue.connection, queue.serializer)
    except ValueError as error:
        log.warning("discarded a job with an invalid id (%s)", error)
        return None


def taken(queue: Queue) -> dict[str, int]:
    """Return the ids of jobs in the intermediate queue, mapped to their run ids. Raises RedisError."""
    found = ((job, JOB_ID.fullmatch(job)) for job in _ids(queue, queue.intermediate_queue_key))
    return {job: int(named[1]) for job, named in found if named and int(named[1]) <= LARGEST_ID}


def forget(queue: Queue, jobs: Iterable[str]) -> None:
    """Delete jobs that workers have taken and never finished. Raises RedisError."""
    with queue.connection.pipeline() as pipeline:
        for job in jobs:
            pipeline.lrem(queue.intermediate_queue_key, 0, job)
            pipeline.delete(queue.job_class.key_for(job))
        pipeline.execute()


def waiting(queue: Queue) -> set[str]:
    """Return the ids of the queued jobs.

    Raises RedisError if Redis is unavailable, or if the key does not hold a list.
    """
    return _ids(queue, queue.key)


def length(queue: Queue) -> int:
    """Return the number of queued jobs. Raises RedisError as `waiting` does."""
    return int(queue.connection.llen(queue.key))


def _ids(queue: Queue, key: str) -> set[str]:
    # Others are not ours, and may be no text at all.
    return {as_text(found) for found in queue.connection.lrange(key, 0, -1) if found.isascii()}


def wake(redis: Redis, worker: str) -> None:
    """Make a worker reread the row of its current run. A lost command is harmless: renewals read the row, too."""
    send_command(redis, worker, "look")
