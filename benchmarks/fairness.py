"""Measure who gets how much of the workers' time, and what it costs to find out whose turn it is.

The first part simulates two workers with a clock of its own against a real database: one owner's flood of 1 s runs
beside another's run every 5 s, and runs of 30 s beside runs of 1 s. Beside it stands what a queue in the order of
submission makes of the same runs. The second part claims runs, and ends them, with 300,000 waiting of 1,000 owners,
and with as many of one owner. `--database=postgres` needs a Postgres on this machine. It takes about two minutes.
"""

import argparse
import contextlib
import heapq
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from sqlalchemy import text

from jobs.runs import lease, turns
from jobs.runs.backend import Backend, open_backend
from tests.conftest import settings_for
from tests.support import databases
from tests.support.history import refresh_statistics, write_queue
from tests.support.people import make_owner, weigh
from tests.support.postgres import throw_away
from tests.support.simulated_workers import Simulation, claim_of
from webapp.server import migrations

WORKERS = 2
FLOOD = 1500
EVERY_SECONDS = 5
SIMULATED_SECONDS = 600
OWNERS, RUNS = 1000, 300_000
CLAIMS, WARM_UP = 500, 20

MANY_OWNERS = """
WITH RECURSIVE numbers(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM numbers WHERE i < :owners)
INSERT INTO users (email, password_hash, session_version, is_admin, is_active, created_at)
SELECT 'many' || i, '', 1, false, true, CURRENT_TIMESTAMP FROM numbers
"""
SHARED_OUT = "UPDATE runs SET owner_id = :first + id % :owners"


def flooded(backend: Backend) -> tuple[list[float], list[float]]:
    """Return the waits of a run every few seconds beside a flood: by turns, and in the order of submission."""
    flood, seldom = (make_owner(backend, f"{name}@example.com") for name in ("flood", "seldom"))
    simulation = Simulation(backend, WORKERS, {flood: 1.0, seldom: 1.0})
    simulation.submit(flood, FLOOD)
    for moment in range(EVERY_SECONDS, SIMULATED_SECONDS, EVERY_SECONDS):
        simulation.go_on_until(moment + 0.3)
        simulation.submit(seldom)
    simulation.go_on_until(float(SIMULATED_SECONDS))
    arrivals = [moment + 0.3 for moment in range(EVERY_SECONDS, SIMULATED_SECONDS, EVERY_SECONDS)]
    return simulation.waits[seldom], first_come([(0.0, 1.0)] * FLOOD + [(moment, 1.0) for moment in arrivals])[FLOOD:]


def first_come(runs: Sequence[tuple[float, float]]) -> list[float]:
    """Return the wait of each run, given as the times when it was submitted and that it takes, in this order."""
    free = [0.0] * WORKERS
    waits = []
    for submitted, seconds in runs:
        start = max(submitted, heapq.heappop(free))
        waits.append(start - submitted)
        heapq.heappush(free, start + seconds)
    return waits


def share(backend: Backend, weight: float) -> float:
    """Return the share of the workers' time that runs of 1 s get beside runs of 30 s, both always waiting."""
    heavy, light = (make_owner(backend, f"{name} {weight}@example.com") for name in ("heavy", "light"))
    weigh(backend, light, weight)
    simulation = Simulation(backend, WORKERS, {heavy: 30.0, light: 1.0})
    simulation.submit(heavy, 50)
    simulation.submit(light, FLOOD)
    simulation.go_on_until(float(SIMULATED_SECONDS))
    for owner_id in (heavy, light):
        forget(backend, owner_id)
    return simulation.served[light] / sum(simulation.served.values())


def forget(backend: Backend, owner_id: int) -> None:
    with backend.database.change() as connection:
        connection.execute(text("DELETE FROM users WHERE id = :id"), {"id": owner_id})


def claims(backend: Backend) -> dict[str, list[float]]:
    """Return how long it took in seconds to claim runs, and to change a row for comparison, by what was timed."""
    commits, alone, busy, together = (list[float]() for _each in range(4))
    claim = claim_of(backend)
    for number in range(WARM_UP + CLAIMS):
        begun, worked = time.perf_counter(), time.process_time()
        run = lease.claim_next(backend.database, claim)
        claimed, had_worked = time.perf_counter(), time.process_time()
        assert run is not None
        lease.renew(backend.database, run)
        renewed = time.perf_counter()
        _change, following = lease.succeed_and_claim(backend.database, run, None, claim)
        ended = time.perf_counter()
        assert following is not None
        lease.succeed(backend.database, following, None)
        if number >= WARM_UP:
            alone.append(claimed - begun)
            busy.append(had_worked - worked)
            commits.append(renewed - claimed)
            together.append(ended - renewed)
    return {
        "a claim": alone,
        "its processor time": busy,
        "an end and a claim": together,
        "a lease renewed": commits,
    }


def shared_out(backend: Backend, owners: int) -> None:
    """Queue many runs, each of another owner."""
    first = make_owner(backend, "first@example.com")
    with backend.database.change() as connection:
        connection.execute(text(MANY_OWNERS), {"owners": owners})
    write_queue(backend.database, first, RUNS)
    with backend.database.change() as connection:
        connection.execute(text(SHARED_OUT), {"first": first, "owners": owners})
    turns.refresh(backend.database)
    refresh_statistics(backend.database)


@contextlib.contextmanager
def a_backend() -> Iterator[Backend]:
    with tempfile.TemporaryDirectory() as folder:
        data_dir = Path(folder)
        backend = open_backend(settings_for(data_dir, database_url=databases.url_of(data_dir)))
        migrations.upgrade(backend.database)
        try:
            yield backend
        finally:
            backend.database.close()
            databases.drop(data_dir)


def percentiles(seconds: Sequence[float]) -> str:
    cuts = statistics.quantiles(seconds, n=100)
    return f"p50 {cuts[49] * 1000:8,.2f} ms   p99 {cuts[98] * 1000:8,.2f} ms"


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure whose turn it is, and what it costs to find out.")
    parser.add_argument("--database", choices=("sqlite", "postgres"), default="sqlite")
    server = throw_away() if parser.parse_args().database == "postgres" else contextlib.nullcontext(None)
    with server as databases.server:
        with a_backend() as backend:
            shares = [share(backend, weight) for weight in (1, 2)]
            by_turns, in_order = flooded(backend)
        print(f"A run of 1 s every {EVERY_SECONDS} s beside {FLOOD:,} runs of 1 s, two workers")
        print(f"  waits by turns       {percentiles(by_turns)}")
        print(f"  waits, first come    {percentiles(in_order)}")
        print("Runs of 1 s beside runs of 30 s, both always waiting, for ten minutes")
        for weight, found in zip((1, 2), shares, strict=True):
            print(f"  share of the workers' time with weight {weight}: {found:.1%}")
        for owners in (1, OWNERS):
            with a_backend() as backend:
                shared_out(backend, owners)
                timed = claims(backend)
            print(f"{RUNS:,} runs of {owners:,} owner{'s' if owners > 1 else ''} waiting")
            for label, seconds in timed.items():
                print(f"  {label:<20} {percentiles(seconds)}")


if __name__ == "__main__":
    main()
