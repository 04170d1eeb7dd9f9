"""The RQ worker: woken by a job from the queue, it executes the runs whose turn it is in child processes."""

import contextlib
import logging
import math
import socket
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from redis.exceptions import RedisError
from rq import Queue, SimpleWorker, worker_registration
from rq.exceptions import DequeueTimeout, StopRequested
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.utils import now
from rq.worker import WorkerStatus
from sqlalchemy.exc import SQLAlchemyError

from jobs.authoring.task import TaskSummary
from jobs.runs import heartbeats, lease, pauses
from jobs.runs.backend import Backend
from jobs.runs.queue import WakeUp
from jobs.runs.run import Run
from jobs.storage.database import utcnow
from jobs.task_user import find_task_user
from jobs.values.outcome import Failure, Outcome
from jobs.worker import attempt
from jobs.worker.burst import Burst
from jobs.worker.file_requests import FileRequests
from jobs.worker.monitor import Callback, Monitor, WorkerContext
from jobs.worker.pending_output import PendingOutput
from jobs.worker.sweeper import revive
from jobs.worker.template_client import TemplateClient
from jobs.worker.wakeup_pipe import WakeupPipe
from jobs.worker.workspace import workspace

log = logging.getLogger(__name__)

SEEN_SECONDS = 10
BEAT_SECONDS = 2
SUSPENSION_SECONDS = 1
UNKNOWN_SECONDS = 30
GRACE_SECONDS = 20
WORKER_TTL_SECONDS = 25  # RQ waits for a job for 15 seconds less than this before it shows that it is alive
WITHOUT_REDIS_SECONDS = 1.0
DAMAGED_SECONDS = 0.05


class RunWorker(SimpleWorker):
    """A worker on a single queue.

    With a single queue, RQ moves a job with BLMOVE, so no job is lost between pop and start. RQ's own worker forks for
    every job, which costs more than a short task itself. Here, as far as RQ knows, the job runs in this process; in
    fact it runs in a child that the template forked in advance, and this process supervises it. Redis may fail at any
    time: that delays the next wake-up but never aborts the current run.
    """

    job_class: type[Job] = WakeUp
    max_connection_wait_time = 2.0
    log_result_lifespan = False

    def __init__(
        self,
        backend: Backend,
        name: str,
        ask_for_copy: Callable[[socket.socket], None],
        wake_sender: Callback = lambda: None,
    ) -> None:
        self._backend = backend
        self._wake_sender = wake_sender
        self._wakeup = WakeupPipe()
        self._leave_at = math.inf
        self._folder = contextlib.ExitStack()
        self._template = TemplateClient(ask_for_copy)
        self._template.prepare()
        self._task_user = find_task_user(backend.settings.task_user)
        files = FileRequests(backend.files, self._wakeup)
        self._context = WorkerContext(
            backend, self._wakeup, self._template, files, lambda: self._leave_at, self._show_life
        )
        super().__init__(
            [backend.queue],
            name=name,
            connection=backend.redis,
            serializer=JSONSerializer,
            worker_ttl=WORKER_TTL_SECONDS,
        )
        self._seen_at = self._beat_at = self._suspension_seen_at = self._unknown_at = -math.inf
        self._idle_since = utcnow()

    # --- the end

    def request_stop(self, signum: int, frame: FrameType | None) -> None:
        """Stop taking jobs and give the current run GRACE_SECONDS to finish. Repeating the request has no effect."""
        # While idle, raise StopRequested into the interrupted code. That code may swallow it (redis-py's destructors
        # do), so the request is also stored and honoured at the next heartbeat.
        first, self._stop_requested = not self._stop_requested, True
        self._shutdown_requested_date = self._shutdown_requested_date or now()
        self._leave_at = min(self._leave_at, time.monotonic() + GRACE_SECONDS)
        self._wakeup.wake()
        if first and self.get_state() != WorkerStatus.BUSY:
            raise StopRequested

    def teardown(self) -> None:
        self._template.close_and_wait()
        # The stop may have arrived between a claim and its outcome: release what is still held.
        revive(self._backend, lease.release(self._backend.database, self.name))
        heartbeats.gone(self._backend.database, self.name)
        with contextlib.suppress(RedisError):  # if Redis is unavailable, RQ's key of this worker expires
            if self._shutdown_requested_date:
                self.set_shutdown_requested_date()  # type: ignore[no-untyped-call]  # RQ leaves it untyped
            super().teardown()  # type: ignore[no-untyped-call]  # RQ leaves it untyped

    # --- jobs

    def dequeue_job_and_maintain_ttl(self, timeout: int | None, max_idle_time: int | None = None) -> Any:
        """Wait for a job. Redis errors and unreadable jobs are logged and retried, so they never end the worker."""
        while True:
            try:
                return super().dequeue_job_and_maintain_ttl(timeout, max_idle_time)
            except (StopRequested, DequeueTimeout):
                raise
            except Exception as error:  # whatever a damaged job makes RQ raise
                log.warning("could not take a job (%s: %s); retrying", type(error).__name__, error)
                time.sleep(WITHOUT_REDIS_SECONDS if isinstance(error, RedisError) else DAMAGED_SECONDS)

    def execute_job(self, job: Job, queue: Queue) -> None:
        """Execute the run whose turn it is, and those after it, for one burst."""
        assert isinstance(job, WakeUp)
        self._state = WorkerStatus.BUSY  # from here on, a stop request raises nothing
        try:
            burst = Burst(self._backend, self, self._take, self._execute, self._may_go_on)
            burst.take(job)
            if burst.has_deliveries:
                self._wake_sender()
            if burst.is_drained:
                self._suspension_seen_at = -math.inf  # look at once, before the next job is taken
        finally:
            self._clear_up()
            self.executions.clear()
            self._state = WorkerStatus.IDLE
            self._idle_since = utcnow()

    def _take(self) -> Run | None:
        if time.monotonic() >= self._unknown_at:
            self._unknown_at = time.monotonic() + UNKNOWN_SECONDS
            if run := attempt.take_unknown(self._backend, self.name):
                return run
        return attempt.take(self._backend, self.name)

    def _execute(self, run: Run, meanwhile: Callback, announce_start: Callback) -> tuple[Outcome, PendingOutput]:
        self._clear_up()
        task = self._backend.tasks.get(run.task) or TaskSummary(run.task)
        try:
            folder = self._folder.enter_context(workspace(self._backend.workspaces, self._task_user))
        except OSError as error:
            words = f"The server could not create the run's workspace: {error.strerror or error}. Contact its operator."
            return Failure("NoWorkspace", words), PendingOutput(self._backend, run)
        monitor = Monitor(self._context, run, task, folder)
        return monitor.outcome(meanwhile, announce_start), monitor.pending

    def _clear_up(self) -> None:
        """Wait until the previous run's processes have ended, then remove its workspace."""
        self._template.await_ends()
        self._folder.close()

    def _may_go_on(self) -> bool:
        return not self._stop_requested

    # --- signs of life, in the database and in Redis

    def handle_payload(self, message: Any) -> None:
        """Handle a command sent through Redis. Ours is only a hint that the current run's row has changed."""
        self._wakeup.wake()
        super().handle_payload(message)  # type: ignore[no-untyped-call]  # RQ leaves it untyped

    def _show_life(self) -> None:
        """Refresh RQ's heartbeats of the current job."""
        for execution in self.executions.values():
            with contextlib.suppress(RedisError):  # RQ's record of the job; the lease is what counts
                self.maintain_heartbeats(execution.job, execution)

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:
        busy = self.get_state() == WorkerStatus.BUSY
        if self._stop_requested and not busy:
            raise StopRequested
        if time.monotonic() - self._seen_at >= SEEN_SECONDS:
            self._seen_at = time.monotonic()
            with _database_may_be_away():
                heartbeats.seen(self._backend.database, self.name, self._backend.tasks, self._idle_since)
        if pipeline is not None:
            super().heartbeat(timeout, pipeline)
        elif time.monotonic() - self._beat_at >= BEAT_SECONDS:
            self._beat_at = time.monotonic()
            with contextlib.suppress(RedisError):
                self._heartbeat_in_redis(timeout)

    def _heartbeat_in_redis(self, timeout: int | None) -> None:
        with self.connection.pipeline() as pipeline:
            super().heartbeat(timeout, pipeline)
            created, *_ = pipeline.execute()
            if created and self.birth_date:  # Redis was flushed or restarted and has no record of this worker
                pipeline.hset(self.key, mapping=self.serialize())
                worker_registration.register(self, pipeline)
                super().set_state(self.get_state(), pipeline)
                pipeline.execute()

    def set_state(self, state: str, pipeline: Any = None) -> None:
        """Record this worker's state in Redis if it has changed."""
        if pipeline is not None:
            super().set_state(state, pipeline)
        elif state != self.get_state():
            self._state = state
            with contextlib.suppress(RedisError):
                super().set_state(state)

    def check_for_suspension(self, burst: bool) -> None:
        if time.monotonic() - self._suspension_seen_at >= SUSPENSION_SECONDS:
            with contextlib.suppress(RedisError):
                super().check_for_suspension(burst)
            self._wait_while_drained()
            self._suspension_seen_at = time.monotonic()

    def _wait_while_drained(self) -> None:
        """Take no job while an administrator has this worker drained."""
        while not self._stop_requested and self._is_drained():
            self.set_state(WorkerStatus.SUSPENDED)
            self.heartbeat()
            time.sleep(SUSPENSION_SECONDS)

    def _is_drained(self) -> bool:
        with _database_may_be_away():
            return pauses.is_drained(self._backend.database, self.name)
        return False

    def run_maintenance_tasks(self) -> None:
        try:
            super().run_maintenance_tasks()  # type: ignore[no-untyped-call]  # RQ leaves it untyped
        except Exception:
            log.warning("RQ's maintenance tasks failed; retrying at the next interval", exc_info=True)


@contextlib.contextmanager
def _database_may_be_away() -> Iterator[None]:
    """Log a database error and continue; the next heartbeat is soon enough."""
    try:
        yield
    except SQLAlchemyError:
        log.warning("could not record a heartbeat in the database; retrying", exc_info=True)
