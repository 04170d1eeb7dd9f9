"""The RQ worker: takes jobs off the queue, has a work-horse execute them, renews the lease while it works."""

import contextlib
import gc
import logging
import os
import signal
import socket
import time
import uuid
from collections.abc import Iterator
from typing import Any

from redis.exceptions import RedisError
from rq import Queue, SimpleWorker
from rq.exceptions import StopRequested
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.worker import WorkerStatus
from sqlalchemy.exc import SQLAlchemyError

from jobs import dispatch, events, lease, presence, runner
from jobs.backend import Backend
from jobs.horse import Horse, HorseEnded
from jobs.outcome import Failure, Outcome, Success
from jobs.runner import Report
from jobs.runs import Run
from jobs.task import TIMEOUT_SECONDS

log = logging.getLogger(__name__)

SEEN_SECONDS = 10
WORKER_TTL_SECONDS = 25  # RQ waits for a job for 15 seconds less than this before it shows that it is alive


class RunWorker(SimpleWorker):
    """A worker on the one queue; on one queue RQ moves a job with BLMOVE, so none is lost between pop and start.

    RQ's own worker forks for every job, which forgets imports and costs more than a short task itself. This one keeps
    its work-horse: to RQ the job runs in this process, which passes it on and watches.
    """

    max_connection_wait_time = 2.0
    log_result_lifespan = False

    def __init__(self, backend: Backend) -> None:
        # The horse is forked while no connection is open yet: it inherits none.
        self._horse = Horse(backend.catalog)
        super().__init__(
            [backend.queue],
            name=f"{socket.gethostname()[:60]}.{os.getpid()}.{uuid.uuid4().hex[:8]}",
            connection=backend.redis,
            serializer=JSONSerializer,
            worker_ttl=WORKER_TTL_SECONDS,
        )
        self._backend = backend
        self._current: tuple[Job, Queue] | None = None
        self._seen_at = float("-inf")
        dispatch.serve_with(self._attend)

    def bootstrap(self, *arguments: Any, **options: Any) -> None:
        super().bootstrap(*arguments, **options)
        runner.warm_up(self._backend)
        gc.collect()
        gc.freeze()  # a replaced horse shares this memory for longer when no collection writes to it

    def _shutdown(self) -> None:
        # While idle RQ raises StopRequested from the signal's handler, into whatever code was interrupted; that may
        # swallow it (redis-py's destructors do). So the request is kept, and honoured at the next heartbeat.
        self._stop_requested = True
        super()._shutdown()  # type: ignore[no-untyped-call]  # RQ leaves it untyped

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:
        if self._stop_requested and self.get_state() != WorkerStatus.BUSY:
            raise StopRequested
        super().heartbeat(timeout, pipeline)
        if time.monotonic() - self._seen_at >= SEEN_SECONDS:
            self._seen_at = time.monotonic()
            with _database_may_be_away():
                presence.seen(self._backend.database, self.name)

    def execute_job(self, job: Job, queue: Queue) -> None:
        self._current = (job, queue)
        super().execute_job(job, queue)
        self._current = None

    def kill_horse(self, sig: signal.Signals = signal.SIGKILL) -> None:
        self._horse.kill()

    def teardown(self) -> None:
        self._horse.kill()
        # A stop may come between the claim and the outcome.
        events.publish(self._backend.redis, *lease.release(self._backend.database, self.name))
        presence.gone(self._backend.database, self.name)
        with contextlib.suppress(RedisError):  # without Redis nobody can be told; RQ's key of this worker expires
            super().teardown()  # type: ignore[no-untyped-call]  # RQ leaves it untyped

    def _attend(self, run_id: int) -> None:
        try:
            runner.attend(self._backend, run_id, self.name, self._execute)
        except BaseException:
            self._horse.kill()  # it may still be at work, and its outcome must not be taken for that of the next run
            raise

    def _execute(self, run: Run, report: Report) -> Outcome:
        task = self._backend.catalog.get(run.task)
        timeout = task.timeout if task else TIMEOUT_SECONDS
        deadline = time.monotonic() + timeout
        next_renewal = time.monotonic() + lease.RENEW_SECONDS
        self._fit_horse().order(run.task, run.parameters)
        while True:
            try:
                heard = self._horse.listen(min(deadline, next_renewal) - time.monotonic())
            except HorseEnded as ended:
                return Failure("ProcessKilled", f"The process that executed this run ended abruptly ({ended}).")
            if isinstance(heard, Success | Failure):
                return heard
            if heard is not None:
                report(*heard)
            if time.monotonic() >= deadline:
                self._horse.kill()
                return Failure("Timeout", f"It ran longer than this task may take ({timeout:,} s).")
            if time.monotonic() >= next_renewal:
                self._renew(run)
                next_renewal += lease.RENEW_SECONDS

    def _fit_horse(self) -> Horse:
        if not self._horse.fit:
            self._horse.kill()
            self._backend.database.close()
            self._horse = Horse(self._backend.catalog)
        return self._horse

    def _renew(self, run: Run) -> None:
        with _database_may_be_away():
            lease.renew(self._backend.database, run)
        if self._current and self.execution:
            with contextlib.suppress(RedisError):  # RQ's record of the job; the lease is what counts
                self.maintain_heartbeats(self._current[0], self.execution)


@contextlib.contextmanager
def _database_may_be_away() -> Iterator[None]:
    """Go on without a database that is away for a moment; the next renewal is soon enough."""
    try:
        yield
    except SQLAlchemyError:
        log.warning("the database did not answer; the next attempt follows", exc_info=True)
