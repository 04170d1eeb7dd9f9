"""Stops: of runs by their owners, and of everything by the platform."""

import random
import signal
import threading
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest
from sqlalchemy import select

from jobs.runs import queue
from jobs.runs.backend import Backend
from jobs.runs.run import Run, State
from jobs.runs.submission import Conflict, cancel
from jobs.worker.leader import LeaderRow
from tests.faults.audit import claims, entries
from tests.faults.harness import Harness
from tests.faults.processes import await_end, lives, send
from tests.faults.scale import scale
from tests.support.person import Person
from tests.support.stack import Stack
from tests.support.waiting import until

ALL_GONE_SECONDS = 28.0
# It takes longer than any grace, and no processor.
PATIENCE = """
import threading

from jobs import Progress, task


@task
def patience(progress: Progress) -> None:
    for minute in range(10):
        progress((minute + 1) / 10)
        threading.Event().wait(60)
"""
LONG_LEASE = pytest.mark.parametrize("lease_seconds", [60])


def stop(harness: Harness, run: Run) -> None:
    cancel(harness.backend, harness.owner_id, run.id)


def read(backend: Backend, run_id: int) -> Run:
    with backend.database.read() as session:
        return session.get_one(Run, run_id)


@LONG_LEASE
@pytest.mark.parametrize("grace", [20, 0.2], ids=["runs may end", "runs are given back"])
def test_stopping_again_and_again_loses_nothing_and_spends_no_attempt(harness: Harness, grace: float) -> None:
    stops = scale(50, 6)
    constants = {"jobs.worker.worker.GRACE_SECONDS": grace}
    pool = harness.open_pool(2, constants=constants)
    for each in range(stops):
        first, *_ = harness.submit_many(3, seconds=random.uniform(0.05, 1.5))
        harness.await_start(first)
        threading.Event().wait(random.uniform(0, 0.5))
        if each % 4:
            send(signal.SIGTERM, [random.choice(until(pool.workers, "a worker"))])
        else:
            pool.stop()
            pool = harness.open_pool(2, constants=constants, ready=False)  # it may be stopped before it has begun
    harness.settle()
    ended = harness.check()
    assert {(run.state, run.attempt, run.losses) for run in ended} == {(State.SUCCEEDED, 1, 0)}
    started = claims(harness.backend.database)
    again = sum(started.values()) - len(ended)
    print(f"{stops} stops, {len(ended)} runs, {again} times one was given back")
    if grace > 1:
        assert again == 0
        assert {harness.times(run) for run in ended} == {(1, 1)}


@LONG_LEASE
def test_a_stop_of_every_process_at_once_loses_nothing_and_spends_no_attempt(harness: Harness) -> None:
    """A child that hears of it first ends at once; its run is given back all the same."""
    pool = harness.open_pool(2)
    for _ in range(scale(50, 4)):
        first, *_ = harness.submit_many(3, seconds=random.uniform(0.05, 1.5))
        harness.await_start(first)
        threading.Event().wait(random.uniform(0, 0.5))
        everyone = pool.everyone()
        random.shuffle(everyone)
        send(signal.SIGTERM, everyone)
        until(pool.ended, "the end of the pool")
        await_end(everyone)
        pool = harness.open_pool(2)
    harness.settle()
    assert {(run.state, run.attempt, run.losses) for run in harness.check()} == {(State.SUCCEEDED, 1, 0)}


def test_a_deploy_stops_everything_in_time_and_the_run_goes_on_after_it(tmp_path: Path) -> None:
    """Platforms send SIGTERM to all processes at once and SIGKILL half a minute later."""
    (tasks := tmp_path / "tasks").mkdir()
    (tasks / "patience.py").write_text(PATIENCE)
    stack = Stack(tmp_path, TASKS=str(tasks))
    try:
        stack.start()
        backend = stack.backend()
        everyone = [process.pid for process in psutil.Process(stack.process.pid).children(recursive=True)]
        person = Person(stack.url, "ada@example.com")
        run_id = person.submit("patience")
        until(lambda: read(backend, run_id).progress, "progress")
        send(signal.SIGTERM, [stack.process.pid, *everyone])
        gone_by = time.monotonic() + ALL_GONE_SECONDS
        assert stack.process.wait(ALL_GONE_SECONDS) == 0
        await_end(everyone, gone_by - time.monotonic())
        run = read(backend, run_id)
        assert (run.state, run.attempt, run.losses, run.lease_token) == (State.QUEUED, 1, 0, None)
        stack.start()
        until(lambda: read(backend, run_id).progress, "the run going on")
        person.post(f"/runs/{run_id}/cancel")
        until(lambda: read(backend, run_id).state is State.CANCELLED, "its end")
        assert read(backend, run_id).attempt == 1
        backend.database.engine.dispose()
    finally:
        stack.stop()


@LONG_LEASE
def test_a_run_goes_on_after_a_deploy_from_where_it_was(harness: Harness) -> None:
    steps = 40
    pool = harness.open_pool(1, constants={"jobs.worker.worker.GRACE_SECONDS": 1})
    run = harness.submit("step", steps=steps, seconds=0.1)
    for deploy in range(1, scale(4, 2)):
        harness.await_start(run, event=f"step-{deploy * 8}")
        everyone = [*pool.everyone(), harness.redis.pid]
        send(signal.SIGTERM, everyone)
        until(pool.ended, "the end of the pool")
        await_end(everyone)
        waiting = harness.read(run)
        assert (waiting.state, waiting.attempt, waiting.losses) == (State.QUEUED, 1, 0)
        harness.redis.start()
        pool = harness.open_pool(1, constants={"jobs.worker.worker.GRACE_SECONDS": 1})
    harness.settle()
    (done,) = harness.check()
    assert (done.state, done.attempt, done.result) == (State.SUCCEEDED, 1, list(range(steps)))
    taken = Counter(harness.noted(run, f"step-{step}") for step in range(steps))
    assert set(taken) <= {1, 2}
    assert taken[2] <= 3, "a step is repeated only when it ended between the last checkpoint and the stop"


@LONG_LEASE
def test_one_run_pushed_ten_times_to_four_workers_is_executed_once(harness: Harness) -> None:
    harness.open_pool(4)
    for _ in range(scale(50, 3)):
        run = harness.submit(seconds=0.1)
        for copy in range(10):
            harness.backend.queue.enqueue_call(
                queue.DISPATCHER, args=(run.id,), job_id=f"copy-{run.id}-{copy}", timeout=-1, result_ttl=0
            )
    harness.settle()
    for run in harness.check():
        assert (harness.times(run), claims(harness.backend.database)[run.id]) == ((1, 1), 1)


@LONG_LEASE
def test_five_stops_in_a_tenth_of_a_second_end_one_run_and_no_worker(harness: Harness, tmp_path: Path) -> None:
    pool = harness.open_pool(2)
    workers = set(pool.workers())
    for turn in range(scale(20, 3)):
        go = tmp_path / f"go-{turn}"
        stopped, other = (harness.submit(task, file=str(go)) for task in ("report_until", "wait_for"))
        harness.await_start(stopped, other)
        for _ in range(5):
            stop(harness, stopped)
            threading.Event().wait(0.02)
        harness.await_end(stopped)
        go.touch()
        harness.settle()
        assert harness.read(stopped).state is State.CANCELLED
        assert harness.read(other).state is State.SUCCEEDED
    assert set(pool.workers()) == workers
    harness.check()


@LONG_LEASE
def test_of_a_stop_and_an_end_that_race_exactly_one_wins(harness: Harness) -> None:
    races = scale(1000, 100)
    harness.open_pool(2)
    said: dict[int, bool] = {}
    for _ in range(races):
        run = harness.submit("report", seconds=random.uniform(0, 0.1))
        threading.Event().wait(random.uniform(0, 0.1))
        try:
            stop(harness, run)
            said[run.id] = True
        except Conflict:
            said[run.id] = False
    harness.settle()
    outcomes: Counter[str] = Counter()
    before = {entry.run_id: entry.before for entry in entries(harness.backend.database) if entry.after.ended}
    for run in harness.check():
        accepted, asked = said[run.id], run.stop_requested_at is not None
        if not accepted:  # the answer was: it has ended already
            assert (run.state, asked) == (State.SUCCEEDED, False)
            outcomes["too late"] += 1
        elif before[run.id] is State.QUEUED:  # it ended at once
            assert (run.state, asked, harness.noted(run)) == (State.CANCELLED, False, 0)
            outcomes["before its start"] += 1
        else:  # it was asked to stop; it may have been at its end by then
            assert run.state in (State.CANCELLED, State.SUCCEEDED)
            assert asked
            assert (run.state is State.SUCCEEDED) == (run.result is not None)
            outcomes[f"while it ran: {run.state}"] += 1
    print(f"{races} races: {dict(outcomes)}")


def test_a_run_cancelled_while_it_waits_never_starts(harness: Harness) -> None:
    cancelled = harness.submit_many(10)
    for run in cancelled:
        stop(harness, run)
    others = harness.submit_many(10)
    harness.open_pool(2)
    harness.settle()
    harness.check()
    assert [harness.times(run) for run in cancelled] == [(0, 0)] * 10
    assert [harness.times(run) for run in others] == [(1, 1)] * 10


@pytest.mark.parametrize("task", ["report_until", "wait_for"], ids=["one that looks", "one that does not"])
def test_a_stop_whose_message_is_lost_is_found_in_the_row(harness: Harness, tmp_path: Path, task: str) -> None:
    harness.open_pool(1)
    run = harness.submit(task, file=str(tmp_path / "never"))
    harness.await_start(run)
    harness.redis.kill()
    stop(harness, run)
    assert harness.settle()[0].state is State.CANCELLED
    harness.redis.start()
    harness.submit()
    harness.settle()
    harness.check(jobs_left=True)


@pytest.mark.parametrize("lease_seconds", [600])
def test_a_stop_reaches_a_worker_on_another_machine(harness: Harness, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    harness.open_pool(1, DATA_DIR=elsewhere)
    run = harness.submit("report_until", file=str(tmp_path / "never"))
    harness.await_start(run)
    stop(harness, run)
    assert harness.settle(patience=60)[0].state is State.CANCELLED  # sooner than its lease is renewed
    harness.check()


def test_two_deployments_side_by_side_share_the_work_and_one_sweeps(harness: Harness, tmp_path: Path) -> None:
    old = harness.open_pool(2, DATA_DIR=tmp_path / "old")
    leaders = {leader(harness)}
    new = harness.open_pool(2, DATA_DIR=tmp_path / "new")
    runs = harness.submit_many(scale(200, 40), seconds=0.1)
    for part in (1, 2):
        harness.await_start(runs[len(runs) * part // 4])
        leaders.add(leader(harness))
    assert len(leaders) == 1
    assert old.stop() == 0
    until(lambda: leader(harness) not in (*leaders, ""), "the other one leading")
    harness.settle()
    ended = harness.check()
    assert {(run.state, run.attempt, harness.times(run)) for run in ended} == {(State.SUCCEEDED, 1, (1, 1))}
    assert all(map(lives, new.workers()))


def leader(harness: Harness) -> str:
    with harness.backend.database.read() as session:
        return session.scalar(select(LeaderRow.holder)) or ""
