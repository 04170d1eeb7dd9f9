"""On Postgres the server may end connections at any moment: each run is finished exactly once."""

import threading

import psycopg
import pytest

from jobs.runs.run import State
from tests.faults.harness import Harness
from tests.faults.scale import scale
from tests.support import databases
from tests.support.waiting import until

pytestmark = pytest.mark.only_on("postgres")

LEASE_SECONDS = 8


@pytest.fixture
def lease_seconds() -> int:
    return LEASE_SECONDS


def end_connections(harness: Harness) -> int:
    """End every connection to the database but this one: how many there were."""
    others = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    with psycopg.connect(databases.url_of(harness.folder), autocommit=True) as connection:
        return len(connection.execute(others).fetchall())


def test_a_run_whose_connections_are_ended_goes_on(harness: Harness) -> None:
    harness.open_pool(2)
    go = harness.folder / "go"
    runs = [harness.submit(name, file=str(go)) for name in ("wait_for", "report_until")]
    harness.await_start(*runs)
    for _ in range(scale(20, 8)):  # over at least a lease, so that renewals meet it
        end_connections(harness)
        threading.Event().wait(LEASE_SECONDS / 6)
    go.touch()
    harness.settle()
    ended = harness.check(jobs_left=True)
    assert [(run.state, run.attempt, harness.noted(run)) for run in ended] == [(State.SUCCEEDED, 1, 1)] * 2


def test_runs_whose_connections_are_ended_at_any_moment_are_finished_once(harness: Harness) -> None:
    harness.open_pool(2)
    runs = harness.submit_many(scale(200, 40), seconds=0.05)
    ended_connections = end_connections(harness)
    while not all(run.state.ended for run in harness.runs()[: len(runs) // 2]):
        ended_connections += end_connections(harness)
        threading.Event().wait(0.1)
    assert ended_connections
    harness.settle()
    assert {run.state for run in harness.check(jobs_left=True)} == {State.SUCCEEDED}
    until(lambda: harness.backend.queue.count == 0, "the end of the queue")
