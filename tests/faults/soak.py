"""Random faults over many runs: `python -m tests.faults.soak --minutes 5 --runs 2000 --seed 1`.

Ends with a table; the exit code is 1 when a run was completed twice, is left over, or is missing.
"""

import argparse
import logging
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from jobs.runs.run import Run, State
from jobs.runs.submission import Conflict, cancel
from tests.conftest import database_of
from tests.faults.audit import claims, completions
from tests.faults.harness import Harness
from tests.faults.processes import PoolProcess, send
from webapp.server import migrations

POOLS = 2
WORKERS_PER_POOL = 2
CONSTANTS = {"jobs.worker.worker.GRACE_SECONDS": 2}
MOST_SECONDS = 6.0
SETTLE_SECONDS = 600.0


class Soak:
    """One harness, a stream of runs, and a stream of faults."""

    def __init__(self, harness: Harness, dice: random.Random) -> None:
        self._harness = harness
        self._dice = dice
        self._pools = [self._open() for _ in range(POOLS)]
        self._later: list[tuple[float, Callable[[], None]]] = []
        self.accepted: list[Run] = []
        self.refused = 0
        self.injected: Counter[str] = Counter()

    def go_on(self, minutes: float, runs: int) -> None:
        """Submit runs at an even pace, and break something every few seconds."""
        begun = time.monotonic()
        fault_at = begun
        while (share := (time.monotonic() - begun) / (minutes * 60)) < 1:
            if behind := len(self.accepted) + self.refused < runs * share:
                self._submit()  # one only: while Redis is frozen it takes seconds, and the end of that is due below
            self._undo(time.monotonic())
            if time.monotonic() >= fault_at:
                self._break_something()
                fault_at = time.monotonic() + self._dice.uniform(0.5, 4)
            threading.Event().wait(0.0 if behind else 0.05)
        self._undo(float("inf"))
        while len(self.accepted) + self.refused < runs:
            self._submit()
        for pool in self._pools:
            self._harness.await_ready(pool)

    def _submit(self) -> None:
        kinds = ["count"] * 12 + ["report"] * 4 + ["step", "fail_once", "hold", "leave", "gobble", "give"]
        task = self._dice.choice(kinds)
        seconds = self._dice.uniform(0, 0.2)
        values: dict[str, dict[str, Any]] = {
            "count": {"seconds": seconds},
            "report": {"seconds": seconds},
            "step": {"steps": 10, "seconds": seconds},
            "hold": {"seconds": 1},
            "leave": {"code": 1},
            "give": {"what": "object"},
        }
        try:
            run = self._harness.submit(task, **values.get(task, {}))
        except SQLAlchemyError:
            self.refused += 1
            return
        self.accepted.append(run)
        if task == "report" and self._dice.random() < 0.5:
            self._cancel(self._dice.choice(self.accepted[-5:]))

    def _cancel(self, run: Run) -> None:
        try:
            cancel(self._harness.backend, self._harness.owner_id, run.id)
        except (Conflict, SQLAlchemyError):
            return

    # --- faults

    def _break_something(self) -> None:
        faults = {
            "child killed": self._kill_child,
            "copy of the template killed": self._kill_copy,
            "template killed": self._kill_template,
            "worker killed": self._kill_worker,
            "pool killed": self._kill_pool,
            "pool and all its processes killed": self._kill_all,
            "worker frozen": self._freeze_worker,
            "pool stopped and started": self._restart,
            "worker stopped": self._stop_worker,
            "Redis killed and started": self._restart_redis,
            "Redis emptied": self._empty_redis,
            "Redis frozen": self._freeze_redis,
            "database locked": self._lock_database,
        }
        name = self._dice.choice(list(faults))
        if faults[name]():
            self.injected[name] += 1

    def _open(self) -> PoolProcess:
        return self._harness.open_pool(WORKERS_PER_POOL, ready=False, constants=CONSTANTS)

    def _replace(self, place: int) -> bool:
        self._pools[place] = self._open()
        return True

    def _signal(self, number: signal.Signals, pids: list[int]) -> bool:
        send(number, chosen := pids and [self._dice.choice(sorted(pids))])
        return bool(chosen)

    def _kill_child(self) -> bool:
        return self._signal(signal.SIGKILL, self._dice.choice(self._pools).children())

    def _kill_copy(self) -> bool:
        return self._signal(signal.SIGKILL, self._dice.choice(self._pools).copies())

    def _kill_template(self) -> bool:
        return self._signal(signal.SIGKILL, self._dice.choice(self._pools).templates())

    def _kill_worker(self) -> bool:
        return self._signal(signal.SIGKILL, self._dice.choice(self._pools).workers())

    def _stop_worker(self) -> bool:
        return self._signal(signal.SIGTERM, self._dice.choice(self._pools).workers())

    def _kill_pool(self) -> bool:
        place = self._dice.randrange(POOLS)
        self._pools[place].send(signal.SIGKILL)
        return self._replace(place)

    def _kill_all(self) -> bool:
        place = self._dice.randrange(POOLS)
        self._pools[place].kill_all()
        return self._replace(place)

    def _restart(self) -> bool:
        place = self._dice.randrange(POOLS)
        self._pools[place].send(signal.SIGTERM)
        return self._replace(place)

    def _freeze_worker(self) -> bool:
        workers = self._dice.choice(self._pools).workers()
        frozen = workers and [self._dice.choice(sorted(workers))]
        send(signal.SIGSTOP, frozen)
        self._after(lambda: send(signal.SIGCONT, frozen))
        return bool(frozen)

    def _restart_redis(self) -> bool:
        if self._harness.redis.running:
            self._harness.redis.kill()
            self._after(self._start_redis)
            return True
        return False

    def _start_redis(self) -> None:
        if not self._harness.redis.running:
            self._harness.redis.start()

    def _freeze_redis(self) -> bool:
        if self._harness.redis.running:
            self._harness.redis.suspend()
            self._after(self._harness.redis.resume)
            return True
        return False

    def _empty_redis(self) -> bool:
        try:
            self._harness.backend.redis.flushall()
        except Exception:
            return False
        return True

    def _lock_database(self) -> bool:
        with self._harness.backend.database.write():
            threading.Event().wait(self._dice.uniform(1, MOST_SECONDS))
        return True

    def _after(self, undo: Callable[[], None]) -> None:
        self._later.append((time.monotonic() + self._dice.uniform(0.5, MOST_SECONDS), undo))

    def _undo(self, now: float) -> None:
        due = [undo for at, undo in self._later if at <= now]
        self._later = [(at, undo) for at, undo in self._later if at > now]
        for undo in due:
            undo()


def tell(soak: Soak, harness: Harness) -> int:
    """Print the table; returns how many runs are not as they should be."""
    runs = {run.id: run for run in harness.runs()}
    ended = completions(harness.backend.database)
    started = claims(harness.backend.database)
    failed = Counter(f"failed: {run.error_kind}" for run in runs.values() if run.state is State.FAILED)
    wrong = {
        "completed more than once": sum(ended[run.id] > 1 for run in soak.accepted),
        "ended, and never completed": sum(run.state.ended and not ended[run.id] for run in runs.values()),
        "left over": sum(not run.state.ended for run in runs.values()),
        "missing": sum(run.id not in runs for run in soak.accepted),
    }
    rows = {
        "accepted": len(soak.accepted),
        "refused (the database was locked too long)": soak.refused,
        **{state.value: sum(run.state is state for run in runs.values()) for state in State if state.ended},
        **dict(sorted(failed.items())),
        "started more than once": sum(started[run.id] > 1 for run in soak.accepted),
        **{f"fault: {name}": count for name, count in sorted(soak.injected.items())},
        **wrong,
    }
    for name, count in rows.items():
        print(f"{name:<46}{count:>8,}")
    return sum(wrong.values())


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--minutes", type=float, default=5)
    options.add_argument("--runs", type=int, default=2000)
    options.add_argument("--seed", type=int, default=int(time.time()))
    chosen = options.parse_args()
    print(f"seed {chosen.seed}", flush=True)
    logging.disable()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        empty = Path(folder) / "empty"
        empty.mkdir()
        database = database_of(empty)
        migrations.upgrade(database)
        database.close()
        harness = Harness(Path(folder) / "harness", empty)
        try:
            harness.redis.start()
            soak = Soak(harness, random.Random(chosen.seed))
            soak.go_on(chosen.minutes, chosen.runs)
            try:
                harness.settle(SETTLE_SECONDS)
            except AssertionError as error:
                print(error)
            wrong = tell(soak, harness)
        finally:
            harness.close()
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
