"""The database is locked, away or full for a while: nothing that was accepted is lost, and nothing is half-written."""

import multiprocessing
import resource
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain

import psutil
import pytest

from jobs.runs import lease
from jobs.runs.run import Run, State
from jobs.storage.database import Database
from tests.faults.audit import claims
from tests.faults.harness import Harness
from tests.faults.locking import locked
from tests.faults.scale import scale
from tests.support import databases
from tests.support.waiting import until

CLAIMERS = 4
LEASE_SECONDS = 8
SHORTER, LONGER = LEASE_SECONDS / 4, LEASE_SECONDS * 1.5  # than what a lease outlasts


@pytest.fixture
def lease_seconds() -> int:
    return LEASE_SECONDS


def claim_all(url: str, run_ids: list[int], worker: str) -> list[int]:
    """Try to claim every run: the ids of those that this process got."""
    database = Database(url)
    return [run_id for run_id in run_ids if lease.claim(database, run_id, worker)]


def test_each_run_is_claimed_by_one_of_many_processes(harness: Harness) -> None:
    runs = [run.id for run in harness.submit_many(scale(300, 50))]
    url = harness.backend.settings.database
    with multiprocessing.get_context("spawn").Pool(CLAIMERS) as processes:
        got = processes.starmap(claim_all, [(url, runs, f"claimer-{number}") for number in range(CLAIMERS)])
    assert sorted(chain.from_iterable(got)) == runs
    assert claims(harness.backend.database) == dict.fromkeys(runs, 1)
    held = {run.id: run.worker for run in harness.runs()}
    assert held == {run_id: f"claimer-{number}" for number, ids in enumerate(got) for run_id in ids}


@pytest.mark.only_on("sqlite")
@pytest.mark.parametrize("lease_seconds", [20])
def test_runs_that_end_and_tell_while_the_write_lock_is_held_lose_nothing(harness: Harness) -> None:
    harness.open_pool(2)
    go = harness.folder / "go"
    at_work = [harness.submit(name, file=str(go)) for name in ("wait_for", "report_until")]
    harness.await_start(*at_work)
    with locked(harness.folder / "dumbwaiter.db") as holder:
        go.touch()
        until(lambda: all(harness.noted(run, "end") for run in at_work), "the end of the tasks")
        assert {run.state for run in harness.runs()} == {State.RUNNING}, "nobody can write down that they have ended"
        assert holder.is_alive()
        late = harness.submit_many(5)
        harness.settle()
    runs = harness.check()
    assert [(run.state, run.attempt, harness.noted(run)) for run in runs] == [(State.SUCCEEDED, 1, 1)] * len(runs)
    assert len(runs) == len(at_work + late)


@contextmanager
def away(harness: Harness, seconds: float) -> Iterator[None]:
    """Make the database unreachable while the block runs."""
    databases.take_away(harness.folder)
    try:
        yield
        threading.Event().wait(seconds)
    finally:
        databases.bring_back(harness.folder)


@pytest.mark.parametrize("seconds", [SHORTER, LONGER], ids=["shorter", "longer"])
@pytest.mark.parametrize("ends_meanwhile", [False, True])
def test_a_run_outlasts_a_database_that_is_away(harness: Harness, seconds: float, ends_meanwhile: bool) -> None:
    harness.open_pool(2)
    go = harness.folder / "go"
    runs = harness.submit_many(2, "wait_for", file=str(go))
    harness.await_start(*runs)
    with away(harness, seconds):
        if ends_meanwhile:
            go.touch()
    threading.Event().wait(LEASE_SECONDS)  # so that a lease which was lost would be seen to be
    go.touch()
    harness.settle()
    ended = harness.check(jobs_left=True)
    assert {run.state for run in ended} == {State.SUCCEEDED}
    if seconds == SHORTER:
        assert [(run.attempt, harness.noted(run)) for run in ended] == [(1, 1)] * 2
    else:
        assert all(harness.noted(run) <= 2 for run in ended)


def fill_disk(pids: list[int], full: bool) -> None:
    """Forbid these processes to write to files, as on a full disk, or allow it again."""
    for pid in pids:
        _soft, hard = psutil.Process(pid).rlimit(resource.RLIMIT_FSIZE)
        psutil.Process(pid).rlimit(resource.RLIMIT_FSIZE, (0 if full else hard, hard))


@pytest.mark.only_on("sqlite")
@pytest.mark.parametrize("seconds", [SHORTER, LONGER], ids=["shorter", "longer"])
def test_a_run_whose_result_finds_the_disk_full_is_finished_when_there_is_room(
    harness: Harness, seconds: float
) -> None:
    pool = harness.open_pool(2)
    go = harness.folder / "go"
    runs: list[Run] = harness.submit_many(2, "wait_for", file=str(go))
    harness.await_start(*runs)
    writers = [pool.pid, *pool.workers()]
    fill_disk(writers, full=True)
    go.touch()
    until(lambda: all(harness.noted(run, "end") for run in runs), "the end of the tasks")
    threading.Event().wait(seconds)
    assert {run.state for run in harness.runs()} == {State.RUNNING}
    fill_disk([pid for pid in pool.everyone() if psutil.pid_exists(pid)], full=False)
    harness.settle()
    ended = harness.check(jobs_left=True)
    assert {run.state for run in ended} == {State.SUCCEEDED}
    assert all(harness.noted(run) == 1 or seconds == LONGER for run in ended)
    with harness.backend.database.read() as session:
        assert session.connection().exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
