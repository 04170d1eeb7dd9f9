"""Simulated workers, which claim runs from the real database and execute them in no time."""

import heapq
import itertools
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from jobs.runs import lease, turns
from jobs.runs.backend import Backend
from jobs.runs.lease import Claim
from jobs.runs.run import Run

TASKS = ("reverse_text", "factorise")


def claim_of(backend: Backend, tasks: Sequence[str] = TASKS) -> Claim:
    return Claim("worker", tasks, backend.durations)


def let_last(run: Run, seconds: float) -> None:
    """Backdate the claim of a run by some seconds."""
    run.held_since = time.monotonic() - seconds


@dataclass
class Simulation:
    """Some workers, which claim from the real database and execute runs in no time."""

    backend: Backend
    workers: int
    seconds: dict[int, float]
    """The duration of each owner's runs."""

    def __post_init__(self) -> None:
        self.now = 0.0
        self.served: dict[int, float] = defaultdict(float)
        self.waits: dict[int, list[float]] = defaultdict(list)
        self._submitted: dict[int, float] = {}
        self._busy: list[tuple[float, int, Run, float]] = []
        self._numbers = itertools.count()

    def submit(self, owner_id: int, count: int = 1) -> None:
        runs = [Run(owner_id=owner_id, task=TASKS[0], parameters={}) for _each in range(count)]
        with self.backend.database.write() as session:
            session.add_all(runs)
            session.flush()
            turns.join(session, [(owner_id, run.id) for run in runs])
        self._submitted |= dict.fromkeys((run.id for run in runs), self.now)

    def go_on_until(self, end: float) -> None:
        """Claim and finish runs until this time."""
        self._claim()
        while self._busy and self._busy[0][0] <= end:
            self.now, _number, run, took = heapq.heappop(self._busy)
            let_last(run, took)
            lease.succeed(self.backend.database, run, None)
            self._claim()
        self.now = end

    def _claim(self) -> None:
        claim = claim_of(self.backend)
        while len(self._busy) < self.workers and (run := lease.claim_next(self.backend.database, claim)):
            took = self.seconds[run.owner_id]
            self.waits[run.owner_id].append(self.now - self._submitted[run.id])
            self.served[run.owner_id] += took
            heapq.heappush(self._busy, (self.now + took, next(self._numbers), run, took))
