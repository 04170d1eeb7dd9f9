"""Measure how fast workers process queued no-op jobs, compared with RQ's own workers on the same machine.

Each of our runs takes two durable commits, an event and its own process, forked in advance. Runs of a "kept" task share
one process, so the ratio between the two is the cost of isolation. RQ's jobs have none of this. All runs are stored
and queued before the workers start, and the first ones are excluded as warm-up. A job's wait lasts from the call that
queues it to the first line of its function. Round trips to Redis are counted in the worker, commands in Redis. The
contenders take turns, so that a noisy machine affects all alike: rely on the ratios. The benchmark takes several
minutes, mostly because of the stock `Worker`.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from redis import Redis

from benchmarks.contenders import Contender, Ours, Stock
from config import Settings
from jobs.runs.backend import open_backend
from tests.conftest import redis_running, settings_for
from tests.support.waiting import until
from webapp.server import migrations

JOBS = 1000
WARM_UP = 200
ROUNDS = 3
COUNTED = 300
TURNS = 200
FIRST_TURNS = 10
PATIENCE_SECONDS = 600.0
STOP_SECONDS = 10.0
SIZES = {1: "one worker", 2: "two workers"}
PERCENTILES = (50, 95, 99)

Row = tuple[str, Sequence[float], int]  # a label, a figure for each contender, decimals


@dataclass(frozen=True)
class Ground:
    """The settings and the Redis server that all contenders share."""

    settings: Settings
    redis: Redis

    @contextmanager
    def crew(self, contender: Contender, size: int, *counter: str) -> Iterator[list["subprocess.Popen[str]"]]:
        """Run `size` workers during the block; they start together once all are ready."""
        command = [sys.executable, "-m", "benchmarks.serve", contender.name]
        command += [str(self.settings.data_dir), self.settings.redis, *counter]
        with ExitStack() as stack:
            workers = []
            for _ in range(size):
                worker = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
                workers.append(stack.enter_context(worker))
                stack.callback(end, worker)
            for worker in workers:
                assert worker.stdout
                assert worker.stdout.readline() == "ready\n", "the worker did not start"
            for worker in workers:
                print(file=worker.stdin, flush=True)
            yield workers

    def rate(self, contender: Contender, size: int) -> float:
        """Return the jobs per second of `size` warm workers."""
        self.redis.flushdb()
        contender.fill(WARM_UP + JOBS)
        with self.crew(contender, size):
            warm = until(lambda: done if (done := contender.done()) >= WARM_UP else 0, "the warm-up", PATIENCE_SECONDS)
            begun = time.monotonic()
            until(lambda: contender.done() == WARM_UP + JOBS, "the end of the batch", PATIENCE_SECONDS)
            return (WARM_UP + JOBS - warm) / (time.monotonic() - begun)

    def waits(self, contenders: Sequence[Contender]) -> list[list[float]]:
        """Return the percentiles of each contender's waits for one idle worker, in milliseconds."""
        self.redis.flushdb()
        with ExitStack() as stack:
            for contender in contenders:
                stack.enter_context(self.crew(contender, 1))
            turns = [[contender.seconds_to_start() for contender in contenders] for _ in range(FIRST_TURNS + TURNS)]
        cuts = [statistics.quantiles(seconds, n=100) for seconds in zip(*turns[FIRST_TURNS:], strict=True)]
        return [[cut[p - 1] * 1000 for p in PERCENTILES] for cut in cuts]

    def asked_per_job(self, contender: Contender) -> list[float]:
        """Return the Redis round trips and commands per job, without those of the worker's start and end."""
        nothing, much = (self._asked(contender, jobs) for jobs in (0, COUNTED))
        return [(more - less) / COUNTED for less, more in zip(nothing, much, strict=True)]

    def _asked(self, contender: Contender, jobs: int) -> tuple[int, int]:
        self.redis.flushdb()
        contender.fill(jobs)
        self.redis.config_resetstat()
        with tempfile.NamedTemporaryFile() as counter, self.crew(contender, 1, counter.name) as workers:
            for worker in workers:
                worker.wait()
            commands = sum(command["calls"] for command in self.redis.info("commandstats").values())
            return Path(counter.name).stat().st_size, commands


def end(worker: "subprocess.Popen[str]") -> None:
    """Stop a worker, killing it after STOP_SECONDS.

    A stock worker's signal handler raises an exception at an arbitrary point, where other code may swallow it.
    """
    worker.terminate()
    try:
        worker.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        worker.kill()


def measure(ground: Ground, contenders: Sequence[Contender]) -> list[Row]:
    rates = [
        {size: [ground.rate(contender, size) for contender in contenders] for size in SIZES} for _ in range(ROUNDS)
    ]
    rows: list[Row] = []
    for size, words in SIZES.items():
        medians = [statistics.median(each) for each in zip(*(turn[size] for turn in rates), strict=True)]
        rows.append((f"jobs per second with {words}", medians, 0))
    for p, waits in zip(PERCENTILES, zip(*ground.waits(contenders), strict=True), strict=True):
        rows.append((f"queued → started by an idle worker, ms, p{p}", waits, 1))
    trips, commands = zip(*(ground.asked_per_job(contender) for contender in contenders), strict=True)
    return [*rows, ("Redis round trips per job", trips, 1), ("Redis commands per job", commands, 1)]


def line(label: str, figures: Sequence[float], decimals: int) -> str:
    mine, *others = figures
    cells = [f"{figure:>14,.{decimals}f}" for figure in figures] + [f"{mine / other:>16.2f}" for other in others]
    return f"{label:<46}{''.join(cells)}"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        settings = settings_for(Path(folder), user_queued_runs=1_000_000, user_runs_a_day=1_000_000)
        with redis_running(settings) as redis:
            backend = open_backend(settings)
            migrations.upgrade(backend.database)
            kept = Ours(backend, "ours, kept", "nothing_kept")
            contenders = (Ours(backend), kept, Stock("SimpleWorker", redis), Stock("Worker", redis))
            rows = measure(Ground(settings, redis), contenders)
            backend.database.close()
    names = [contender.name for contender in contenders]
    heads = [f"{name:>14}" for name in names] + [f"{f'÷ {name}':>16}" for name in names[1:]]
    print(f"{f'{ROUNDS} rounds of {JOBS:,} no-op jobs each, medians':<46}{''.join(heads)}")
    print("\n".join(line(*row) for row in rows))


if __name__ == "__main__":
    main()
