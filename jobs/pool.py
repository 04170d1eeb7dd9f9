"""The pool: N workers, each started again whatever ended it, and the sweeper's turn between."""

import logging
import os
import signal
import time
from types import FrameType

from jobs import events, lease, presence
from jobs.backend import Backend
from jobs.process import die_with_parent
from jobs.sweeper import SWEEP_SECONDS, sweep
from jobs.worker import RunWorker

log = logging.getLogger(__name__)

GRACE_SECONDS = 20
RESTART_SECONDS = 1.0
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Pool:
    """Forks workers from a process without threads, so that they share the memory of all imported tasks."""

    def __init__(self, backend: Backend, size: int) -> None:
        self._backend = backend
        self._size = size
        self._pids: set[int] = set()
        self._stopping = False

    def run(self) -> None:
        """Keep the workers running until SIGTERM or SIGINT; then let running runs end, or give them back."""
        for number in STOP_SIGNALS:
            signal.signal(number, self._stop)
        next_sweep = 0.0
        while not self._stopping:
            self._reap()
            while len(self._pids) < self._size:
                self._pids.add(self._fork())
            if time.monotonic() >= next_sweep:
                self._sweep()
                next_sweep = time.monotonic() + SWEEP_SECONDS
            time.sleep(0.2)
        self._end_workers()

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True

    def _fork(self) -> int:
        parent = os.getpid()
        self._backend.database.close()
        self._backend.redis.connection_pool.disconnect()
        # A signal between the fork and the new handlers would be taken for the pool's own, and lost.
        signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
        pid = os.fork()
        if pid:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
            return pid
        status = 1
        try:
            die_with_parent(parent, signal.SIGTERM)
            for number in STOP_SIGNALS:
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
            RunWorker(self._backend).work(logging_level="WARNING")
            status = 0
        except Exception:
            log.exception("a worker could not go on")
            time.sleep(RESTART_SECONDS)
        finally:
            os._exit(status)

    def _reap(self) -> None:
        for pid in list(self._pids):
            ended, _status = os.waitpid(pid, os.WNOHANG)
            if ended:
                self._pids.discard(pid)
                if not self._stopping:
                    log.warning("worker %d ended; another one takes its place", pid)

    def _sweep(self) -> None:
        try:
            sweep(self._backend)
        except Exception:
            log.exception("the sweep failed; the next one follows in %d s", SWEEP_SECONDS)

    def _end_workers(self) -> None:
        self._signal(signal.SIGTERM)
        deadline = time.monotonic() + GRACE_SECONDS
        while self._pids and time.monotonic() < deadline:
            self._reap()
            time.sleep(0.05)
        if not self._pids:
            return
        killed = set(self._pids)
        self._signal(signal.SIGKILL)
        while self._pids:
            self._reap()
            time.sleep(0.05)
        self._give_back(killed)

    def _give_back(self, pids: set[int]) -> None:
        for name in presence.names(self._backend.database, pids):
            events.publish(self._backend.redis, *lease.release(self._backend.database, name))
            presence.gone(self._backend.database, name)

    def _signal(self, number: signal.Signals) -> None:
        for pid in self._pids:
            os.kill(pid, number)
