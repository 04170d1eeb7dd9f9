"""Processes are killed and frozen: each run that was accepted is finished exactly once."""

import random
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from jobs.runs import Run, State
from tests.faults.audit import claims, entries
from tests.faults.kitchen import Kitchen
from tests.faults.processes import PoolProcess, await_end, lives, send
from tests.faults.scale import scale
from tests.waiting import until

GONE_SECONDS = 20.0  # it takes a moment; what is not taken along stays until its test lets it go, or for good
AT_ONCE_SECONDS = 30.0  # well before a lease of a minute runs out
LONG_LEASE = pytest.mark.parametrize("lease_seconds", [60])


def all_succeeded(runs: list[Run]) -> bool:
    return {run.state for run in runs} == {State.SUCCEEDED}


@LONG_LEASE
def test_a_killed_child_fails_the_run_it_was_executing_and_no_other(kitchen: Kitchen) -> None:
    kills = scale(100, 10)
    pool = kitchen.open_pool(2)
    runs = kitchen.submit_many(10, seconds=0.1)
    for _ in range(kills):
        runs += kitchen.submit_many(random.randint(1, 4), seconds=random.uniform(0, 0.1))
        threading.Event().wait(random.uniform(0, 0.2))
        send(signal.SIGKILL, [random.choice(until(pool.children, "a child"))])
    kitchen.settle()
    ended = kitchen.check()
    failed = [run for run in ended if run.state is State.FAILED]
    assert {(run.attempt, run.losses) for run in ended} == {(1, 0)}
    assert {run.error_kind for run in failed} <= {"ProcessKilled"}
    assert len(failed) <= kills
    assert [run.id for run in ended if run.state is State.SUCCEEDED and kitchen.times(run) != (1, 1)] == []
    assert [run.id for run in failed if kitchen.noted(run) > 1] == []
    print(f"{kills} kills, {len(ended)} runs, {len(failed)} of them killed")


@LONG_LEASE
@pytest.mark.parametrize("of", [PoolProcess.children, PoolProcess.copies, PoolProcess.templates])
def test_a_process_killed_while_it_waits_hurts_no_run(kitchen: Kitchen, of: Callable[[PoolProcess], list[int]]) -> None:
    pool = kitchen.open_pool(2)
    for _ in range(scale(20, 4)):
        killed = of(pool)
        send(signal.SIGKILL, killed)
        await_end(killed)
        kitchen.submit_many(4)
        assert all_succeeded(list(kitchen.settle()))
        kitchen.await_ready(pool)
    assert {(run.attempt, run.losses, *kitchen.times(run)) for run in kitchen.check()} == {(1, 0, 1, 1)}


@LONG_LEASE
def test_a_killed_template_leaves_the_run_at_hand_alone_and_is_started_again(kitchen: Kitchen, tmp_path: Path) -> None:
    pool, go = kitchen.open_pool(2), tmp_path / "go"
    run = kitchen.submit("wait_for", file=str(go))
    kitchen.await_start(run)
    workers, (template,) = pool.workers(), pool.templates()
    send(signal.SIGKILL, [template])
    until(lambda: pool.templates() not in ([], [template]), "another template")
    assert kitchen.await_end(kitchen.submit()).state is State.SUCCEEDED
    go.touch()
    kitchen.settle()
    assert {(run.state, run.attempt, *kitchen.times(run)) for run in kitchen.check()} == {(State.SUCCEEDED, 1, 1, 1)}
    assert pool.workers() == workers


@LONG_LEASE
@pytest.mark.parametrize("killed", ["worker", "copy of the template"])
def test_what_a_child_depends_on_takes_it_along_and_the_run_is_run_again_at_once(
    kitchen: Kitchen, tmp_path: Path, killed: str
) -> None:
    kitchen.open_pool(2)
    for turn in range(scale(20, 2)):
        go = tmp_path / f"go-{turn}"
        run = kitchen.submit("wait_for", file=str(go))
        child = kitchen.child_of(run)
        send(signal.SIGKILL, [kitchen.worker_of(run) if killed == "worker" else psutil.Process(child).ppid()])
        await_end([child], GONE_SECONDS)
        kitchen.await_start(run, times=2, patience=AT_ONCE_SECONDS)
        go.touch()
        kitchen.settle()
        done = kitchen.read(run)
        assert (done.state, done.attempt, done.losses, kitchen.times(run)) == (State.SUCCEEDED, 2, 1, (2, 1))
    kitchen.check(jobs_left=True)


@pytest.mark.parametrize("redis_too", [False, True], ids=["pool", "pool and Redis"])
def test_a_batch_survives_the_end_of_every_process(kitchen: Kitchen, redis_too: bool) -> None:
    pool = kitchen.open_pool(2)
    go = kitchen.folder / "go"
    runs = kitchen.submit_many(scale(200, 40), seconds=0.05)
    runs += kitchen.submit_many(pool.size + 1, "wait_for", file=str(go))  # however long it takes to end the processes
    until(lambda: kitchen.noted(runs[len(runs) // 4]), "a quarter of the batch")
    pool.kill_all()
    if redis_too:
        kitchen.redis.kill()
        kitchen.redis.start()
    assert not all(kitchen.noted(run) for run in runs)
    go.touch()
    kitchen.open_pool(2)
    assert all_succeeded(list(kitchen.settle()))
    ended = kitchen.check(jobs_left=True)
    lost = [run for run in ended if run.losses]
    assert len(lost) <= pool.size
    assert {kitchen.times(run) for run in ended if not run.losses} == {(1, 1)}
    assert all(kitchen.noted(run) == 1 for run in ended if not run.losses)
    print(f"{len(ended)} runs, {len(lost)} of them lost and run again")


@pytest.mark.parametrize("frozen", ["worker", "worker and child", "pool"])
def test_what_a_frozen_process_brings_too_late_is_dropped(kitchen: Kitchen, tmp_path: Path, frozen: str) -> None:
    pools = [kitchen.open_pool(1), kitchen.open_pool(1)]
    go = tmp_path / "go"
    run = kitchen.submit("wait_for", file=str(go))
    child, worker = kitchen.child_of(run), kitchen.worker_of(run)
    (whole,) = [pool for pool in pools if worker in pool.workers()]
    pids = {"worker": [worker], "worker and child": [worker, child], "pool": whole.everyone()}[frozen]
    kitchen.freeze(pids)
    try:
        kitchen.await_start(run, times=2)
        go.touch()
        kitchen.settle()
        if frozen == "worker":
            until(lambda: kitchen.noted(run, "end") == 2, "the first child being done")
    finally:
        send(signal.SIGCONT, pids)
    until(lambda: "its outcome here is dropped" in whole.output, "the late outcome")
    assert lives(worker)
    kitchen.submit_many(10)
    assert all_succeeded(list(kitchen.settle()))
    kitchen.check()
    done = kitchen.read(run)
    assert (done.attempt, done.losses, claims(kitchen.backend.database)[run.id]) == (2, 1, 2)
    (completed,) = [
        entry for entry in entries(kitchen.backend.database) if entry[:1] == (run.id,) and entry.after.ended
    ]
    assert completed.attempt == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV])
def test_a_worker_is_started_again_whatever_ended_it(running: Kitchen, number: signal.Signals) -> None:
    (pool,) = running.pools
    (worker,) = until(pool.workers, "a worker")
    send(number, [worker])
    code = 0 if number is signal.SIGTERM else -number
    until(lambda: f"worker {worker} ended with {code}; another one takes its place" in pool.output, "its end")
    assert running.await_end(running.submit()).state is State.SUCCEEDED
    running.check()
    running.await_ready(pool)


@LONG_LEASE
def test_a_worker_that_cannot_start_is_tried_again_without_haste(kitchen: Kitchen) -> None:
    pool = kitchen.open_pool(1, ready=False, constants={"jobs.worker.WORKER_TTL_SECONDS": "no number"})
    until(lambda: "ended with 1;" in pool.output, "a start that fails")
    before = pool.output.count("ended with 1;")
    threading.Event().wait(5)
    assert pool.output.count("ended with 1;") - before <= 5
    assert pool.stop() == 0
    kitchen.open_pool(1)
    kitchen.submit()
    assert all_succeeded(list(kitchen.settle()))
    kitchen.check()


def test_processes_that_a_task_leaves_behind_end_with_its_run(kitchen: Kitchen) -> None:
    pool = kitchen.open_pool(1)
    crew = pool.crew()
    run = kitchen.await_end(kitchen.submit("breed", count=3))
    assert isinstance(run.result, list)
    assert len(run.result) == 3
    await_end(run.result)
    kitchen.submit()
    assert all_succeeded(list(kitchen.settle()))
    assert pool.crew() == crew
    kitchen.check()
    everyone = pool.everyone()
    assert pool.stop() == 0
    await_end(everyone, GONE_SECONDS)
    assert pool.everyone() == []
