"""The RQ worker: takes jobs off the queue, forks a work-horse for each, renews the lease while it works."""

import contextlib
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

from jobs import dispatch, events, lease, presence
from jobs.backend import Backend
from jobs.lease import Failure
from jobs.process import die_with_parent
from jobs.queue import open_queue
from jobs.redis import connect_redis

log = logging.getLogger(__name__)

SEEN_SECONDS = 10
WORKER_TTL_SECONDS = 25  # RQ waits for a job for 15 seconds less than this before it shows that it is alive


class RunWorker(Worker):
    """A worker on the one queue; on one queue RQ moves a job with BLMOVE, so none is lost between pop and start."""

    max_connection_wait_time = 2.0
    log_result_lifespan = False

    def __init__(self, backend: Backend) -> None:
        name = f"{socket.gethostname()[:60]}.{os.getpid()}.{uuid.uuid4().hex[:8]}"
        redis = connect_redis(backend.settings, socket_timeout=None)
        super().__init__(
            [open_queue(redis)],
            name=name,
            connection=redis,
            serializer=JSONSerializer,
            worker_ttl=WORKER_TTL_SECONDS,
            job_monitoring_interval=lease.RENEW_SECONDS,
            work_horse_killed_handler=self._horse_was_killed,
        )
        self._backend = backend
        self._seen_at = float("-inf")

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:
        super().heartbeat(timeout, pipeline)
        if time.monotonic() - self._seen_at >= SEEN_SECONDS:
            presence.seen(self._backend.database, self.name)
            self._seen_at = time.monotonic()

    def maintain_heartbeats(self, job: Job, execution: Execution) -> None:
        lease.renew(self._backend.database, self.name)
        super().maintain_heartbeats(job, execution)

    def main_work_horse(self, job: Job, queue: Queue) -> None:
        # A work-horse is in a process group of its own: without this it would outlive a killed worker and run beside
        # the next attempt.
        die_with_parent(int(self.pid or 0), signal.SIGKILL)
        self._backend.database.forget_connections()
        dispatch.serve(self._backend, self.name)
        super().main_work_horse(job, queue)

    def kill_horse(self, sig: signal.Signals = signal.SIGKILL) -> None:
        if self.horse_pid > 0:  # killpg(getpgid(0)) would be the worker's own group
            super().kill_horse(sig)

    def teardown(self) -> None:
        presence.gone(self._backend.database, self.name)
        with contextlib.suppress(RedisError):  # without Redis nobody can be told; RQ's key of this worker expires
            super().teardown()  # type: ignore[no-untyped-call]

    def _horse_was_killed(self, job: Job, _pid: int, status: int, _usage: Any) -> None:
        how = f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else f"exit code {os.WEXITSTATUS(status)}"
        failure = Failure("ProcessKilled", f"The process that executed this run ended abruptly ({how}).")
        change = lease.fail_held(self._backend.database, int(job.args[0]), self.name, failure)
        if change:
            events.publish(self._backend.redis, change)
