"""Everything that executes runs, as real processes: a database, a Redis, and pools that a test may break."""

import contextlib
import json
import signal
import sqlite3
import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rq.utils import as_text
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from config import Settings
from jobs.runs.backend import Backend, open_backend
from jobs.runs.heartbeats import WorkerRow
from jobs.runs.run import Run
from jobs.runs.submission import submit
from tests.faults.audit import begin_audit, completions, entries
from tests.faults.processes import PoolProcess, RedisServer, send
from tests.faults.scale import scale
from tests.faults.tasks import TASKS
from tests.support import databases
from tests.support.people import make_owner
from tests.support.waiting import until

START_SECONDS = 120.0
SETTLE_SECONDS = 180.0
LEASE_SECONDS = scale(4, 2)
LONG_LEASE_SECONDS = 60
# In the short form a sweeper that died is succeeded sooner; in full it is as in production.
SOONER = scale({}, {"jobs.worker.leader.LEADER_SECONDS": 4, "jobs.worker.sweeper.SWEEP_SECONDS": 1.0})


class Harness:
    """One deployment in `folder`. Close it, and no process of it is left."""

    def __init__(self, folder: Path, empty_database: Path, **settings: Any) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        databases.copy(empty_database, folder)
        url = databases.url_of(folder)
        self._values = {"data_dir": folder, "database_url": url, "lease_seconds": LEASE_SECONDS, **settings}
        self._values |= {"user_queued_runs": 1_000_000, "user_runs_a_day": 1_000_000}
        self.backend: Backend = open_backend(Settings.model_validate(self._values), TASKS)
        begin_audit(self.backend.database)
        self.owner_id = make_owner(self.backend)
        self.redis = RedisServer(self.backend)
        self.ledger = folder / "ledger.txt"
        self.ledger.touch()
        self.pools: list[PoolProcess] = []
        self._numbers = 0

    def close(self) -> None:
        """End every process that was started here."""
        for pool in self.pools:
            pool.kill_all()
        self.redis.resume()
        if self.redis.running:
            self.redis.kill()
        self.backend.database.close()
        databases.drop(self.folder)

    # --- pools

    def open_pool(
        self, size: int = 2, ready: bool = True, constants: dict[str, Any] | None = None, **environment: Any
    ) -> PoolProcess:
        """Start a pool and, unless Redis is away or the like, wait until its workers work.

        `constants` are replaced in its processes, by their full name (see tests/faults/pool.py); `environment` adds to
        the settings it reads.
        """
        settings = self.backend.settings
        own = {
            "DATA_DIR": settings.data_dir,
            "DATABASE_URL": settings.database,
            "REDIS_URL": settings.redis,
            "LEASE_SECONDS": settings.lease_seconds,
            "WORKERS": size,
            "CONSTANTS": json.dumps({**SOONER, **(constants or {})}),
        }
        named = {name: str(value) for name, value in {**own, **environment}.items()}
        pool = PoolProcess(named, self.folder / "pools.txt")
        self.pools.append(pool)
        if ready:
            self.await_ready(pool)
        return pool

    def await_ready(self, pool: PoolProcess) -> None:
        """Wait until each of the pool's workers has shown itself and has a child that waits for a run."""

        def works() -> bool:
            assert not pool.ended(), pool.output
            workers = pool.workers()
            shown = self._shown()
            return len(workers) == pool.size and shown.issuperset(workers) and pool.has_waiting_children()

        until(works, "the pool", START_SECONDS)

    def _shown(self) -> set[int]:
        with self.backend.database.read() as session:
            return set(session.scalars(select(WorkerRow.pid)))

    def worker_of(self, run: Run) -> int:
        """The process id of the worker that has the run, once one has it."""

        def held() -> int | None:
            name = self.read(run).worker
            with self.backend.database.read() as session:
                return session.scalar(select(WorkerRow.pid).where(WorkerRow.name == name))

        return until(held, "a worker having the run") or 0

    def child_of(self, run: Run) -> int:
        """The process id of the child that executes the run, once its task has noted it."""
        self.await_start(run)
        beginning = f"{run.parameters['number']} start "
        lines = self.ledger.read_text().splitlines()
        return [int(line.removeprefix(beginning)) for line in lines if line.startswith(beginning)][-1]

    def freeze(self, pids: list[int]) -> None:
        """Freeze processes, at a moment when none of them holds SQLite's one lock for writing.

        With the lock nobody else could write until they go on; no lease helps against that, and on one machine, where
        SQLite is used, nothing but a debugger freezes one process and not the others.
        """
        send(signal.SIGSTOP, pids)
        while not self._can_be_written():
            send(signal.SIGCONT, pids)
            threading.Event().wait(0.05)
            send(signal.SIGSTOP, pids)

    def _can_be_written(self) -> bool:
        if self.backend.database.engine.dialect.name != "sqlite":
            return True
        path = self.backend.settings.database.removeprefix("sqlite:///")
        with contextlib.closing(sqlite3.connect(path, timeout=2, isolation_level=None)) as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                return False
            connection.execute("ROLLBACK")
            return True

    # --- runs

    def submit(self, name: str = "count", **parameters: Any) -> Run:
        """Submit a run; its number in the ledger is `run.parameters["number"]`."""
        self._numbers += 1
        task = TASKS[name]
        values = {"ledger": str(self.ledger), "number": self._numbers, **parameters}
        return submit(self.backend, task, self.owner_id, task.parameters.model_validate(values))

    def submit_many(self, count: int, name: str = "count", **parameters: Any) -> list[Run]:
        return [self.submit(name, **parameters) for _ in range(count)]

    def read(self, run: Run) -> Run:
        with self.backend.database.read() as session:
            return session.get_one(Run, run.id)

    def runs(self) -> Sequence[Run]:
        """All runs that were accepted, as they are now."""
        with self.backend.database.read() as session:
            return session.scalars(select(Run).order_by(Run.id)).all()

    def noted(self, run: Run, event: str = "start") -> int:
        """Count how often the run's task has noted an event in the ledger, such as "start" or "end"."""
        return self._ledger()[f"{run.parameters['number']} {event}"]

    def times(self, run: Run) -> tuple[int, int]:
        """Count how often the run's task has started, and how often it has reached its end."""
        return self.noted(run), self.noted(run, "end")

    def _ledger(self) -> Counter[str]:
        return Counter(line.rpartition(" ")[0] for line in self.ledger.read_text().splitlines())

    def await_start(self, *runs: Run, times: int = 1, event: str = "start", patience: float = SETTLE_SECONDS) -> None:
        """Wait until the task of each run has started this many times, or has noted another event."""
        until(lambda: all(self.noted(run, event) >= times for run in runs), f"{event} of every run", patience)

    def await_postponed(self, run: Run) -> None:
        """Wait until a run that failed waits for its next attempt."""
        until(lambda: self.read(run).due_at, "the first failure", SETTLE_SECONDS)

    def await_end(self, run: Run) -> Run:
        """Wait until one run has ended; others may go on."""
        until(lambda: self.read(run).state.ended, "the end of the run", SETTLE_SECONDS)
        return self.read(run)

    # --- what must hold

    def settle(self, patience: float = SETTLE_SECONDS) -> Sequence[Run]:
        """Wait until every run has ended: all of them."""
        try:
            until(self._all_ended, "the end of every run", patience)
        except AssertionError as error:
            left = [(run.id, run.state.value, run.attempt, run.worker) for run in self.runs() if not run.state.ended]
            raise AssertionError(f"{error}; left over: {left}") from None
        return self.runs()

    def _all_ended(self) -> bool:
        with contextlib.suppress(OperationalError):
            return all(run.state.ended for run in self.runs())
        return False

    def check(self, jobs_left: bool = False) -> Sequence[Run]:
        """Every run that was accepted was finished exactly once, and nothing is left of it in Redis.

        A record that RQ keeps of a failed job expires after a day: two workers had the same job at once, because the
        sweeper pushed what was just being taken. That of a job whose worker was killed stays until RQ's maintenance:
        `jobs_left` allows for those too. One that no registry of RQ's knows would stay for ever, and is never allowed.
        """
        runs = self.runs()
        written = entries(self.backend.database)
        last = {entry.run_id: entry.after for entry in written}
        assert {run.id: run.state for run in runs if not run.state.ended} == {}
        assert {run.id: run.state for run in runs if last[run.id] is not run.state} == {}
        assert completions(self.backend.database) == Counter([run.id for run in runs]), written
        assert [run.id for run in runs if run.lease_token or run.lease_expires_at or run.due_at] == []
        until(lambda: not self.backend.queue.get_job_ids(), "the end of RQ's queue")
        until(lambda: not self._unknown_jobs(jobs_left), f"the end of RQ's records: {self._unknown_jobs(jobs_left)}")
        return runs

    def _unknown_jobs(self, jobs_left: bool) -> set[str]:
        queue = self.backend.queue
        redis = self.backend.redis
        jobs = {as_text(key).removeprefix("rq:job:") for key in redis.keys("rq:job:*")}
        known = {job for job in queue.failed_job_registry.get_job_ids(cleanup=False) if redis.ttl(f"rq:job:{job}") > 0}
        if jobs_left:
            known |= set(queue.started_job_registry.get_job_ids(cleanup=False))
            known |= {as_text(job) for job in redis.lrange(queue.intermediate_queue.key, 0, -1)}
        return jobs - known
