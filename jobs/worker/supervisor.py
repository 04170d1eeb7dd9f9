"""The worker pool: keep N workers running, replace those that exit, and run the sweeper regularly."""

import contextlib
import gc
import logging
import os
import signal
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from types import FrameType

from sqlalchemy.exc import SQLAlchemyError

from jobs.authoring.task import TaskSummary
from jobs.runs import heartbeats, lease
from jobs.runs.backend import Backend
from jobs.worker import attempt, workspace
from jobs.worker.process import die_with_parent
from jobs.worker.sender import send_all
from jobs.worker.sweeper import TURN_SECONDS, Sweeper, revive
from jobs.worker.template_process import Start, TemplateProcess, start_template
from jobs.worker.wakeup_pipe import WakeupPipe
from jobs.worker.worker import GRACE_SECONDS, RunWorker

log = logging.getLogger(__name__)

KILL_SECONDS = GRACE_SECONDS + 3
RESTART_SECONDS = 1.0
AGAIN_SECONDS = 0.5  # programs such as uv and npm pass on one Ctrl-C a second time
LOOK_SECONDS = 0.2
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Supervisor:
    """A pool of workers, forked from a process without threads so that they share the memory of imported modules."""

    def __init__(self, backend: Backend, size: int, start: Start | None = None) -> None:
        self._backend = backend
        settings = backend.settings
        self._template = TemplateProcess(
            start or start_template(settings.tasks, user=settings.task_user), settings.task_environment
        )
        self._size = size
        self._sweeper = Sweeper(backend)
        self._to_send = WakeupPipe()
        self._sender = 0
        self._workers: dict[int, str] = {}
        self._started_at: dict[int, float] = {}
        self._exited: list[str] = []
        self._stopping = self._at_once = False
        self._asked_at = 0.0

    def run(self) -> None:
        """Keep the workers running until SIGTERM or SIGINT, then let current runs finish or requeue them.

        A SIGINT that follows, such as a second Ctrl-C, requeues them at once.

        Raises TaskError if no task can be served.
        """
        for number in STOP_SIGNALS:
            signal.signal(number, self._stop)
        next_turn = 0.0
        while not self._stopping:
            self._reap()
            if self._template.look():
                self._prepare(self._template.tasks)
                while len(self._workers) < self._size and not self._stopping:
                    self._fork()
            self._requeue_runs_of_exited()
            if time.monotonic() >= next_turn:
                next_turn = time.monotonic() + TURN_SECONDS
                self._sweep()
            if not self._sender and self._to_send.was_woken():
                self._start_sender()
            time.sleep(LOOK_SECONDS)
        self._end_workers()

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        if not self._stopping:
            self._stopping, self._asked_at = True, now
        elif number == signal.SIGINT and now - self._asked_at > AGAIN_SECONDS:
            self._at_once = True
        # Signal the workers here, not in the loop, which may be waiting for a database that does not respond.
        self._signal(signal.SIGTERM)

    def _prepare(self, tasks: Mapping[str, TaskSummary] | None) -> None:
        """Load what workers share before forking: memory that a worker allocates itself is not shared."""
        if tasks is None or self._backend.tasks is tasks:
            return
        self._backend = replace(self._backend, tasks=tasks)
        self._sweeper.learn(tasks)
        try:
            attempt.warm_up(self._backend)
        except SQLAlchemyError:
            log.warning("the database is unavailable; each worker will compile its own statements")
        gc.collect()
        gc.freeze()  # otherwise a collection in a worker would copy every page that it visits

    def _fork(self) -> None:
        name = f"{socket.gethostname()[:60]}.{uuid.uuid4().hex[:12]}"
        with _blocked_signals():
            pid = self._forked(f"worker {name}", lambda: self._work(name))
            self._workers[pid], self._started_at[pid] = name, time.monotonic()

    def _work(self, name: str) -> None:
        worker = RunWorker(self._backend, name, self._template.ask_for_copy, self._to_send.wake)
        worker.work(logging_level="WARNING")

    def _start_sender(self) -> None:
        """Fork the process that sends mails and messages to webhooks. It ends when there are none."""
        with _blocked_signals():
            self._sender = self._forked("the sender", self._send)

    def _send(self) -> None:
        ended = threading.Event()

        def end(_number: int, _frame: FrameType | None) -> None:
            ended.set()
            self._to_send.wake()

        signal.signal(signal.SIGTERM, end)
        send_all(self._backend, self._to_send, lambda: not ended.is_set())

    def _forked(self, name: str, work: Callable[[], None]) -> int:
        """Fork a process that works and ends, and return its id. Signals are blocked, and unblocked in the process."""
        parent = os.getpid()
        self._backend.database.close()
        self._backend.redis.connection_pool.disconnect()
        pid = os.fork()
        if pid:
            return pid
        status = 1
        try:
            die_with_parent(parent, signal.SIGTERM)
            for number in STOP_SIGNALS:
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
            self._template.forget()
            work()
            status = 0
        except Exception:
            log.exception("%s failed", name)
        finally:
            os._exit(status)

    def _reap(self) -> None:
        if self._sender:
            ended, status = os.waitpid(self._sender, os.WNOHANG)
            if ended and status and not self._stopping:
                log.warning("the sender ended with code %d", os.waitstatus_to_exitcode(status))
            self._sender = 0 if ended else self._sender
        for pid in list(self._workers):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if not ended:
                continue
            self._exited.append(self._workers.pop(pid))
            lived = time.monotonic() - self._started_at.pop(pid)
            if not self._stopping:
                code = os.waitstatus_to_exitcode(status)
                log.warning("worker %d exited with code %d; starting a replacement", pid, code)
                if lived < RESTART_SECONDS:  # a worker that cannot start must not be restarted in a busy loop
                    time.sleep(RESTART_SECONDS)

    def _requeue_runs_of_exited(self) -> None:
        """Requeue the runs of workers that have exited at once, instead of waiting for their leases to expire."""
        try:
            for name in list(self._exited):
                revive(self._backend, lease.lose(self._backend.database, name))
                heartbeats.gone(self._backend.database, name)
                self._exited.remove(name)
        except SQLAlchemyError:
            log.warning("could not requeue the runs of workers that exited; retrying", exc_info=True)

    def _sweep(self) -> None:
        try:
            workspace.tidy(self._backend.workspaces)
            self._sweeper.turn()
            if self._sweeper.has_to_send:
                self._to_send.wake()
        except Exception:
            log.exception("the sweep failed; retrying at the next turn")

    def _end_workers(self) -> None:
        self._signal(signal.SIGTERM)
        kill_at = time.monotonic() + KILL_SECONDS
        self._reap_until(lambda: self._at_once or time.monotonic() >= kill_at)
        killed = set(self._workers.values())
        self._signal(signal.SIGKILL)
        self._reap_until(lambda: False)
        self._template.close()
        workspace.tidy(self._backend.workspaces)
        try:
            for name in killed:
                revive(self._backend, lease.release(self._backend.database, name))
            self._requeue_runs_of_exited()
            self._sweeper.leave()
        except SQLAlchemyError:
            log.warning("could not release this pool's leases; they will expire", exc_info=True)

    def _reap_until(self, is_over: Callable[[], bool]) -> None:
        while (self._workers or self._sender) and not is_over():
            self._reap()
            time.sleep(LOOK_SECONDS / 4)

    def _signal(self, number: signal.Signals) -> None:
        for pid in filter(None, (*self._workers, self._sender)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)


@contextlib.contextmanager
def _blocked_signals() -> Iterator[None]:
    """Block signals: one that arrives in a child before its handlers are set would run the pool's and be lost."""
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
