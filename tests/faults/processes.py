"""The processes of a test: started in a session of their own, found by it, and ended by their ids."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import psutil

from jobs.backend import Backend
from jobs.embedded_redis import start_redis
from jobs.process import die_with_parent
from jobs.redis import connect_redis
from tests.waiting import PATIENCE_SECONDS, until

ROOT = Path(__file__).parent.parent.parent
STOP_SECONDS = 60.0


def lives(pid: int) -> bool:
    """Whether a process runs; one that has ended and is not reaped yet does not."""
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
    """Signal processes; one that has ended meanwhile is no matter."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def in_session(session: int) -> list[int]:
    """The living processes of a session: whatever was started in it and all that came of that."""
    found = []
    for pid in psutil.pids():
        with contextlib.suppress(ProcessLookupError):
            if os.getsid(pid) == session and lives(pid):
                found.append(pid)
    return found


class PoolProcess:
    """A pool, its workers and their work-horses."""

    def __init__(self, environment: dict[str, str], output: Path) -> None:
        parent = os.getpid()
        with output.open("ab") as file:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.faults.pool"],
                cwd=ROOT,
                env={"PATH": os.environ["PATH"], "PYTHONUNBUFFERED": "1", **environment},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=lambda: die_with_parent(parent, signal.SIGKILL),
            )
        self._output = output
        self.size = int(environment["WORKERS"])

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def output(self) -> str:
        """What this and every other process that writes to the same file has printed."""
        return self._output.read_text()

    def workers(self) -> list[int]:
        return children(self.pid)

    def horses(self) -> list[int]:
        return [horse for worker in self.workers() for horse in children(worker)]

    def crew(self) -> tuple[list[int], list[int]]:
        """The workers and their work-horses, to see later whether they are still the same."""
        return self.workers(), self.horses()

    def everyone(self) -> list[int]:
        """The pool, what it started, and what that left behind."""
        return in_session(self.pid)

    def send(self, number: signal.Signals) -> None:
        """Signal the pool alone."""
        if self._process.poll() is None:
            self._process.send_signal(number)

    def ended(self) -> bool:
        return self._process.poll() is not None

    def stop(self) -> int:
        """Stop it as a deploy does: the pool's exit code."""
        self.send(signal.SIGTERM)
        return self._process.wait(STOP_SECONDS)

    def kill_all(self) -> None:
        """End every process of it at once, without a chance to tidy up."""
        while pids := self.everyone():
            send(signal.SIGKILL, pids)
            self._process.poll()
        self._process.wait(STOP_SECONDS)


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
        self._server = start_redis(self._settings, lambda: die_with_parent(parent, signal.SIGKILL))
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

    def send(self, number: signal.Signals) -> None:
        if self._server is not None and self._server.poll() is None:
            self._server.send_signal(number)

    def _answers(self, ping: object) -> bool:
        assert self.running, "Redis ended at its start"
        with contextlib.suppress(Exception):
            return bool(callable(ping) and ping())
        return False
