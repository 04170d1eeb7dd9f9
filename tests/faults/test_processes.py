"""Processes are killed and frozen: each run that was accepted is finished exactly once."""

import random
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from jobs.runs.run import Run, State
from tests.faults.audit import claims, entries
from tests.faults.harness import Harness
from tests.faults.processes import PoolProcess, await_end, lives, send
from tests.faults.scale import scale
from tests.support.waiting import until

GONE_SECONDS = 20.0  # it takes a moment; what is not taken along stays until its test lets it go, or for good
AT_ONCE_SECONDS = 30.0  # well before a lease of a minute runs out
LONG_LEASE = pytest.mark.parametrize("lease_seconds", [60])


def all_succeeded(runs: list[Run]) -> bool:
    return {run.state for run in runs} == {State.SUCCEEDED}


@LONG_LEASE
def test_a_killed_child_fails_the_run_it_was_executing_and_no_other(harness: Harness) -> None:
    kills = scale(100, 10)
    pool = harness.open_pool(2)
    runs = harness.submit_many(10, seconds=0.1)
    for _ in range(kills):
        runs += harness.submit_many(random.randint(1, 4), seconds=random.uniform(0, 0.1))
        threading.Event().wait(random.uniform(0, 0.2))
        send(signal.SIGKILL, [random.choice(until(pool.children, "a child"))])
    harness.settle()
    ended = harness.check()
    failed = [run for run in ended if run.state is State.FAILED]
    assert {(run.attempt, run.losses) for run in ended} == {(1, 0)}
    assert {run.error_kind for run in failed} <= {"ProcessKilled"}
    assert len(failed) <= kills
    assert [run.id for run in ended if run.state is State.SUCCEEDED and harness.times(run) != (1, 1)] == []
    assert [run.id for run in failed if harness.noted(run) > 1] == []
    print(f"{kills} kills, {len(ended)} runs, {len(failed)} of them killed")


@LONG_LEASE
@pytest.mark.parametrize("of", [PoolProcess.children, PoolProcess.copies, PoolProcess.templates])
def test_a_process_killed_while_it_waits_hurts_no_run(harness: Harness, of: Callable[[PoolProcess], list[int]]) -> None:
    pool = harness.open_pool(2)
    for _ in range(scale(20, 4)):
        killed = of(pool)
        send(signal.SIGKILL, killed)
        await_end(killed)
        harness.submit_many(4)
        assert all_succeeded(list(harness.settle()))
        harness.await_ready(pool)
    assert {(run.attempt, run.losses, *harness.times(run)) for run in harness.check()} == {(1, 0, 1, 1)}


@LONG_LEASE
def test_a_killed_template_leaves_the_run_at_hand_alone_and_is_started_again(harness: Harness, tmp_path: Path) -> None:
    pool, go = harness.open_pool(2), tmp_path / "go"
    run = harness.submit("wait_for", file=str(go))
    harness.await_start(run)
    workers, (template,) = pool.workers(), pool.templates()
    send(signal.SIGKILL, [template])
    until(lambda: pool.templates() not in ([], [template]), "another template")
    assert harness.await_end(harness.submit()).state is State.SUCCEEDED
    go.touch()
    harness.settle()
    assert {(run.state, run.attempt, *harness.times(run)) for run in harness.check()} == {(State.SUCCEEDED, 1, 1, 1)}
    assert pool.workers() == workers


@LONG_LEASE
@pytest.mark.parametrize("killed", ["worker", "copy of the template"])
def test_what_a_child_depends_on_takes_it_along_and_the_run_is_run_again_at_once(
    harness: Harness, tmp_path: Path, killed: str
) -> None:
    harness.open_pool(2)
    for turn in range(scale(20, 2)):
        go = tmp_path / f"go-{turn}"
        run = harness.submit("wait_for", file=str(go))
        child = harness.child_of(run)
        send(signal.SIGKILL, [harness.worker_of(run) if killed == "worker" else psutil.Process(child).ppid()])
        await_end([child], GONE_SECONDS)
        harness.await_start(run, times=2, patience=AT_ONCE_SECONDS)
        go.touch()
        harness.settle()
        done = harness.read(run)
        assert (done.state, done.attempt, done.losses, harness.times(run)) == (State.SUCCEEDED, 2, 1, (2, 1))
    harness.check(jobs_left=True)


@pytest.mark.parametrize("redis_too", [False, True], ids=["pool", "pool and Redis"])
def test_a_batch_survives_the_end_of_every_process(harness: Harness, redis_too: bool) -> None:
    pool = harness.open_pool(2)
    go = harness.folder / "go"
    runs = harness.submit_many(scale(200, 40), seconds=0.05)
    runs += harness.submit_many(pool.size + 1, "wait_for", file=str(go))  # however long it takes to end the processes
    until(lambda: harness.noted(runs[len(runs) // 4]), "a quarter of the batch")
    pool.kill_all()
    if redis_too:
        harness.redis.kill()
        harness.redis.start()
    assert not all(harness.noted(run) for run in runs)
    go.touch()
    harness.open_pool(2)
    assert all_succeeded(list(harness.settle()))
    ended = harness.check(jobs_left=True)
    lost = [run for run in ended if run.losses]
    assert len(lost) <= pool.size
    assert {harness.times(run) for run in ended if not run.losses} == {(1, 1)}
    assert all(harness.noted(run) == 1 for run in ended if not run.losses)
    print(f"{len(ended)} runs, {len(lost)} of them lost and run again")


@pytest.mark.parametrize("frozen", ["worker", "worker and child", "pool"])
def test_what_a_frozen_process_brings_too_late_is_dropped(harness: Harness, tmp_path: Path, frozen: str) -> None:
    pools = [harness.open_pool(1), harness.open_pool(1)]
    go = tmp_path / "go"
    run = harness.submit("wait_for", file=str(go))
    child, worker = harness.child_of(run), harness.worker_of(run)
    (whole,) = [pool for pool in pools if worker in pool.workers()]
    pids = {"worker": [worker], "worker and child": [worker, child], "pool": whole.everyone()}[frozen]
    harness.freeze(pids)
    try:
        harness.await_start(run, times=2)
        go.touch()
        harness.settle()
        if frozen == "worker":
            until(lambda: harness.noted(run, "end") == 2, "the first child being done")
    finally:
        send(signal.SIGCONT, pids)
    until(lambda: "discarded the outcome" in whole.output, "the late outcome")
    assert lives(worker)
    harness.submit_many(10)
    assert all_succeeded(list(harness.settle()))
    harness.check()
    done = harness.read(run)
    assert (done.attempt, done.losses, claims(harness.backend.database)[run.id]) == (2, 1, 2)
    (completed,) = [
        entry for entry in entries(harness.backend.database) if entry[:1] == (run.id,) and entry.after.ended
    ]
    assert completed.attempt == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV])
def test_a_worker_is_started_again_whatever_ended_it(running: Harness, number: signal.Signals) -> None:
    (pool,) = running.pools
    (worker,) = until(pool.workers, "a worker")
    send(number, [worker])
    code = 0 if number is signal.SIGTERM else -number
    until(lambda: f"worker {worker} exited with code {code}; starting a replacement" in pool.output, "its end")
    assert running.await_end(running.submit()).state is State.SUCCEEDED
    running.check()
    running.await_ready(pool)


@LONG_LEASE
def test_a_worker_that_cannot_start_is_tried_again_without_haste(harness: Harness) -> None:
    pool = harness.open_pool(1, ready=False, constants={"jobs.worker.worker.WORKER_TTL_SECONDS": "no number"})
    until(lambda: "exited with code 1;" in pool.output, "a start that fails")
    before = pool.output.count("exited with code 1;")
    threading.Event().wait(5)
    assert pool.output.count("exited with code 1;") - before <= 5
    assert pool.stop() == 0
    harness.open_pool(1)
    harness.submit()
    assert all_succeeded(list(harness.settle()))
    harness.check()


def test_processes_that_a_task_leaves_behind_end_with_its_run(harness: Harness) -> None:
    pool = harness.open_pool(1)
    crew = pool.crew()
    run = harness.await_end(harness.submit("breed", count=3))
    assert isinstance(run.result, list)
    assert len(run.result) == 3
    await_end(run.result)
    harness.submit()
    assert all_succeeded(list(harness.settle()))
    assert pool.crew() == crew
    harness.check()
    everyone = pool.everyone()
    assert pool.stop() == 0
    await_end(everyone, GONE_SECONDS)
    assert pool.everyone() == []
