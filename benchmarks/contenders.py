"""The compared workers, each with functions to fill its queue and to observe its jobs."""

import time
from typing import Protocol

from redis import Redis
from rq import Queue
from rq.job import Job
from sqlalchemy import func, select

from benchmarks.serve import STOCK
from jobs.runs import turns
from jobs.runs.backend import Backend
from jobs.runs.pushing import push
from jobs.runs.run import Run, State
from tests.support.people import make_owner, make_run, read
from tests.support.waiting import until

UNWATCHED_SECONDS = 0.03


class Contender(Protocol):
    name: str

    def fill(self, jobs: int) -> None:
        """Queue this number of no-op jobs."""

    def done(self) -> int:
        """Return how many of the queued jobs have finished."""

    def seconds_to_start(self) -> float:
        """Queue one job, wait for it, and return how long it took to start, in seconds."""


class Ours:
    """Our workers, whose runs are done when their results are in the database."""

    def __init__(self, backend: Backend, name: str = "ours", task: str = "nothing") -> None:
        self.name = name
        self._task = task
        self._backend = backend
        self._owner_id = make_owner(backend, f"{task}@example.com")
        self._older = 0

    def fill(self, jobs: int) -> None:
        runs = [Run(owner_id=self._owner_id, task=self._task, parameters={}) for _ in range(jobs)]
        with self._backend.database.write() as session:
            session.add_all(runs)
            session.flush()
            turns.join(session, [(run.owner_id, run.id) for run in runs])
        self._older = min((run.id for run in runs), default=1) - 1
        for run in runs:
            push(self._backend, run)

    def done(self) -> int:
        query = select(func.count()).where(Run.state == State.SUCCEEDED, Run.id > self._older)
        with self._backend.database.read() as session:
            return session.scalar(query) or 0

    def seconds_to_start(self) -> float:
        run = make_run(self._backend, self._owner_id, "moment", parameters={})
        begun = time.monotonic()
        push(self._backend, run)
        time.sleep(UNWATCHED_SECONDS)
        until(lambda: read(self._backend, run).state.ended, "the end of the run")
        return float(read(self._backend, run).result) - begun


class Stock:
    """RQ's workers with all of RQ's defaults, whose jobs are done when RQ reports them as finished."""

    def __init__(self, name: str, redis: Redis) -> None:
        self.name = name
        self._queue = Queue(f"{STOCK}-{name}", connection=redis)

    def fill(self, jobs: int) -> None:
        for _ in range(jobs):
            self._queue.enqueue("benchmarks.noop.nothing")

    def done(self) -> int:
        return int(self._queue.finished_job_registry.get_job_count(cleanup=False))

    def seconds_to_start(self) -> float:
        begun = time.monotonic()
        job: Job = self._queue.enqueue("benchmarks.noop.moment")
        time.sleep(UNWATCHED_SECONDS)
        until(lambda: job.get_status().value == "finished", "the end of the job")
        return float(str(job.return_value())) - begun
