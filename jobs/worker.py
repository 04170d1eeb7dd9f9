"""The RQ worker: takes jobs off the queue, forks a work-horse for each, renews the lease while it works."""

import contextlib
import gc
import logging
import os
import signal
import socket
import time
import uuid
from typing import Any

from redis.exceptions import RedisError
from rq import Queue, Worker
from rq.executions import Execution
from rq.job import Job
from rq.serializers import JSONSerializer

from jobs import dispatch, events, lease, presence, runner
from jobs.backend import Backend
from jobs.lease import Failure
from jobs.process import die_with_parent
from jobs.runs import Run

log = logging.getLogger(__name__)

SEEN_SECONDS = 10
WORKER_TTL_SECONDS = 25  # RQ waits for a job for 15 seconds less than this before it shows that it is alive


class RunWorker(Worker):
    """A worker on the one queue; on one queue RQ moves a job with BLMOVE, so none is lost between pop and start."""

    max_connection_wait_time = 2.0
    log_result_lifespan = False

    def __init__(self, backend: Backend) -> None:
        name = f"{socket.gethostname()[:60]}.{os.getpid()}.{uuid.uuid4().hex[:8]}"
        super().__init__(
            [backend.queue],
            name=name,
            connection=backend.redis,
            serializer=JSONSerializer,
            worker_ttl=WORKER_TTL_SECONDS,
            job_monitoring_interval=lease.RENEW_SECONDS,
            work_horse_killed_handler=self._horse_was_killed,
        )
        self._backend = backend
        self._claimed: Run | None = None
        self._seen_at = float("-inf")

    def bootstrap(self, *arguments: Any, **options: Any) -> None:
        """Get ready, and do once here what every work-horse would otherwise do first thing after its fork."""
        super().bootstrap(*arguments, **options)
        runner.warm_up(self._backend)
        gc.collect()
        gc.freeze()  # so that a collection in a work-horse does not copy the memory it shares with this process

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:
        super().heartbeat(timeout, pipeline)
        if time.monotonic() - self._seen_at >= SEEN_SECONDS:
            presence.seen(self._backend.database, self.name)
            self._seen_at = time.monotonic()

    def execute_job(self, job: Job, queue: Queue) -> None:
        # Claimed here and not in the work-horse: this process has its statements compiled and its connections open.
        self._claimed = runner.claim(self._backend, int(job.args[0]), self.name)
        super().execute_job(job, queue)

    def maintain_heartbeats(self, job: Job, execution: Execution) -> None:
        lease.renew(self._backend.database, self.name)
        super().maintain_heartbeats(job, execution)

    def main_work_horse(self, job: Job, queue: Queue) -> None:
        # A work-horse is in a process group of its own: without this it would outlive a killed worker and run beside
        # the next attempt.
        die_with_parent(int(self.pid or 0), signal.SIGKILL)
        self._backend.database.forget_connections()
        dispatch.hand_over(self._backend, self._claimed)
        super().main_work_horse(job, queue)

    def kill_horse(self, sig: signal.Signals = signal.SIGKILL) -> None:
        if self.horse_pid > 0:  # killpg(getpgid(0)) would be the worker's own group
            super().kill_horse(sig)

    def teardown(self) -> None:
        # A stop may come between the claim and the work-horse's start.
        events.publish(self._backend.redis, *lease.release(self._backend.database, self.name))
        presence.gone(self._backend.database, self.name)
        with contextlib.suppress(RedisError):  # without Redis nobody can be told; RQ's key of this worker expires
            super().teardown()  # type: ignore[no-untyped-call]

    def _horse_was_killed(self, job: Job, _pid: int, status: int, _usage: Any) -> None:
        how = f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else f"exit code {os.WEXITSTATUS(status)}"
        failure = Failure("ProcessKilled", f"The process that executed this run ended abruptly ({how}).")
        change = lease.fail_held(self._backend.database, int(job.args[0]), self.name, failure)
        if change:
            events.publish(self._backend.redis, change)
