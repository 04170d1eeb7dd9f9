"""The processes of a test: started in a session of their own, found by it, and ended by their ids.

Each child has a session of its own too; it and all that is in it are found beneath the process that has forked it.
"""

import contextlib
import multiprocessing
import os
import signal
import subprocess
from collections.abc import Iterable
from pathlib import Path

import psutil

from jobs.runs.backend import Backend
from jobs.storage.redis import connect_redis
from jobs.worker.process import die_with_parent
from tests.faults.pool import run
from tests.support.forked_template import TEMPLATE
from tests.support.waiting import PATIENCE_SECONDS, until
from webapp.server.embedded_redis import start_redis

STOP_SECONDS = 60.0
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["tests.faults.pool"])


def lives(pid: int) -> bool:
    """Return whether a process is running; a zombie is not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def await_end(pids: Iterable[int], patience: float = PATIENCE_SECONDS) -> None:
    """Wait until none of these processes runs any more."""
    left = list(pids)
    until(lambda: not any(map(lives, left)), f"the end of the processes {left}", patience)


def children(pid: int) -> list[int]:
    """The living children of a process."""
    try:
        return [child.pid for child in psutil.Process(pid).children() if lives(child.pid)]
    except psutil.NoSuchProcess:
        return []


def send(number: signal.Signals, pids: Iterable[int]) -> None:
    """Signal processes, ignoring those that have ended."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def in_session(session: int) -> list[int]:
    """The living processes of a session."""
    found = []
    for pid in psutil.pids():
        with contextlib.suppress(ProcessLookupError):
            if os.getsid(pid) == session and lives(pid):
                found.append(pid)
    return found


def in_sessions(sessions: set[int]) -> set[int]:
    """Return the running processes of these sessions and all their descendants, in any session."""
    parents: dict[int, int] = {}
    found: set[int] = set()
    for process in psutil.process_iter():
        with contextlib.suppress(ProcessLookupError, psutil.NoSuchProcess):
            parents[process.pid] = process.ppid()
            if os.getsid(process.pid) in sessions:
                found.add(process.pid)
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return set(filter(lives, found))


def is_template(pid: int) -> bool:
    """Return whether this is a template that a test forked."""
    try:
        return psutil.Process(pid).name() == TEMPLATE
    except psutil.NoSuchProcess:
        return False


class PoolProcess:
    """A pool: its supervisor, its workers, and its template with a copy for each worker, which has the children."""

    def __init__(self, environment: dict[str, str], output: Path) -> None:
        output.touch()
        arguments = ({"PATH": os.environ["PATH"], **environment}, output)
        self._process = SERVER.Process(target=run, args=arguments)
        self._process.start()
        self._output = output
        self._sessions = {self.pid}
        self.size = int(environment["WORKERS"])
        until(lambda: self._has_own_session() or self.ended(), "the pool's session")

    @property
    def pid(self) -> int:
        assert self._process.pid
        return self._process.pid

    def _has_own_session(self) -> bool:
        with contextlib.suppress(ProcessLookupError):
            return os.getsid(self.pid) == self.pid
        return False

    @property
    def output(self) -> str:
        """The output of this process and of all others that write to the same file."""
        return self._output.read_text()

    def workers(self) -> list[int]:
        return [pid for pid in children(self.pid) if not is_template(pid)]

    def templates(self) -> list[int]:
        """The template, or none while it is being started again."""
        return [pid for pid in children(self.pid) if is_template(pid)]

    def copies(self) -> list[int]:
        """The template's copies, one for each worker; those of a template that has ended go on."""
        return [pid for pid in in_session(self.pid) if is_template(pid) and pid not in self.templates()]

    def children(self) -> list[int]:
        """The processes that execute a run or wait for one."""
        return [child for copy in self.copies() for child in children(copy)]

    def has_waiting_children(self) -> bool:
        """Return whether each worker has a copy of the template with a child ready."""
        copies = self.copies()
        return len(copies) == self.size and all(map(children, copies))

    def crew(self) -> tuple[list[int], ...]:
        """The processes that live longer than a run, to see later whether they are still the same."""
        return self.workers(), self.templates(), self.copies()

    def everyone(self) -> list[int]:
        """The pool, what it started, and what that left behind."""
        found = in_sessions(self._sessions)
        # What a child leaves behind is in the child's session. A session in which nobody is left is forgotten: the
        # system gives its number to others, which are not to be ended with this pool.
        self._sessions = set() if self.ended() else {self.pid}
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                self._sessions.add(os.getsid(pid))
        return sorted(found)

    def send(self, number: signal.Signals) -> None:
        """Signal the pool alone."""
        if not self.ended():
            send(number, [self.pid])

    def ended(self) -> bool:
        return self._process.exitcode is not None

    def stop(self) -> int:
        """Stop it as a deploy does: the pool's exit code."""
        self.send(signal.SIGTERM)
        return self._await_exit()

    def _await_exit(self) -> int:
        until(self.ended, "the end of the pool", STOP_SECONDS)
        assert self._process.exitcode is not None
        return self._process.exitcode

    def kill_all(self) -> None:
        """End every process of it at once, without a chance to tidy up."""
        while pids := self.everyone():
            send(signal.SIGKILL, pids)
        self._await_exit()


class RedisServer:
    """The embedded Redis, which a test may kill, suspend and start again."""

    def __init__(self, backend: Backend) -> None:
        self._settings = backend.settings
        self._server: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._server is not None
        return self._server.pid

    @property
    def running(self) -> bool:
        return self._server is not None and self._server.poll() is None

    def start(self) -> None:
        parent = os.getpid()
        settings = self._settings

        def in_child() -> None:
            die_with_parent(parent, signal.SIGKILL)
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a file that may not grow is an error, not the end

        self._server = start_redis(settings.redis_folder, settings.redis_socket, in_child)
        redis = connect_redis(self._settings)
        until(lambda: self._answers(redis.ping), "Redis starting")
        redis.close()

    def kill(self) -> None:
        self.send(signal.SIGKILL)
        assert self._server is not None
        self._server.wait(STOP_SECONDS)

    def stop(self) -> None:
        self.send(signal.SIGTERM)
        assert self._server is not None
        self._server.wait(STOP_SECONDS)

    def suspend(self) -> None:
        self.send(signal.SIGSTOP)

    def resume(self) -> None:
        self.send(signal.SIGCONT)

    def allow_files(self, size: int) -> None:
        """Limit the size of files in bytes, to simulate a full disk."""
        process = psutil.Process(self.pid)
        process.rlimit(psutil.RLIMIT_FSIZE, (size, psutil.RLIM_INFINITY))

    def send(self, number: signal.Signals) -> None:
        if self._server is not None and self._server.poll() is None:
            self._server.send_signal(number)

    def _answers(self, ping: object) -> bool:
        assert self.running, "Redis ended at its start"
        with contextlib.suppress(Exception):
            return bool(callable(ping) and ping())
        return False
