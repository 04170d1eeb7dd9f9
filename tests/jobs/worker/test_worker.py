"""The worker: real jobs from a real queue, in a process of its own."""

import contextlib
import json
import os
import signal
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from rq.exceptions import StopRequested
from rq.worker import Worker, WorkerStatus

from jobs import Checkpoint, FinalFailure, Progress, task
from jobs.runs import events, lease
from jobs.runs.backend import Backend
from jobs.runs.queue import push, taken
from jobs.runs.run import Run, State
from jobs.runs.submission import cancel
from jobs.worker.worker import RunWorker
from tests.support.people import read
from tests.support.serving import catalog_of, ended, kill_worker_of, serving, serving_many, start, worker_of
from tests.support.waiting import until


@task
def who() -> int:
    """Return the id of this process."""
    return os.getpid()


@task(timeout=1)
def linger() -> None:
    """Take longer than allowed, ignoring every request to stop."""
    while True:
        try:
            signal.pause()
        except BaseException:
            continue


@task
def crash() -> None:
    """End the process."""
    os.kill(os.getpid(), signal.SIGKILL)


@task
def tidy(progress: Progress, folder: str) -> None:
    """Work until it is stopped, and tidy up."""
    try:
        while True:
            progress(0.5, "working")
            threading.Event().wait(0.01)
    finally:
        Path(folder, "tidied").touch()


@task(grace=0.5)
def stubborn(progress: Progress) -> None:
    """Take no notice of a stop."""
    progress(0.5, "working")
    linger()


@task(retries=2, backoff=0.1)
def fail_twice(folder: str) -> int:
    """Fail at the first two attempts."""
    with Path(folder, "attempts").open("a+") as attempts:
        attempts.write("x")
        attempts.seek(0)
        count = len(attempts.read())
    if count < 3:
        raise RuntimeError(f"attempt {count} fails")
    return count


@task(retries=2, backoff=0.1)
def give_up(final: bool) -> None:
    """Fail, for good or not."""
    raise FinalFailure("never again") if final else RuntimeError("not today")


@task(memory=100)
def gobble() -> int:
    """Take memory without end."""
    taken = []
    while True:
        taken.append(bytearray(10_000_000))


@task
def resume(folder: str, checkpoint: Checkpoint) -> list[int]:
    """Go on where an earlier attempt was; each attempt gets two steps further, then loses its worker."""
    done: list[int] = checkpoint.load([])
    for step in range(len(done), 5):
        checkpoint.save(done := [*done, step])
        if step % 2:
            Path(folder, "at").write_text(str(step))
            signal.pause()
    return done


ALL = (who, linger, crash, tidy, stubborn, fail_twice, give_up, gobble, resume)
TASKS = catalog_of(*ALL)


@pytest.fixture
def lease_seconds() -> int:
    return 60


@pytest.fixture
def served(backend: Backend, lease_seconds: int) -> Iterator[Backend]:
    """A backend with the tasks above and one worker."""
    settings = backend.settings.model_copy(update={"lease_seconds": lease_seconds})
    with serving(settings, TASKS) as one:
        yield one


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Iterator[Backend]:
    """The same for tests that leave nothing behind."""
    with serving_many(tmp_path_factory.mktemp("shared"), empty_database, TASKS) as one:
        yield one


def finished(backend: Backend, name: str, **parameters: Any) -> Run:
    return ended(backend, start(backend, name, **parameters))


def test_every_run_has_a_process_of_its_own_and_keeps_no_lease(shared: Backend) -> None:
    done = [finished(shared, "who") for _ in range(3)]
    assert {(run.lease_token, run.lease_expires_at) for run in done} == {(None, None)}
    assert {run.state for run in done} == {State.SUCCEEDED}
    assert len({run.result for run in done}) == 3


def test_a_run_that_takes_too_long_fails_from_outside_and_the_next_one_runs(shared: Backend) -> None:
    late = finished(shared, "linger")
    assert (late.state, late.error_kind) == (State.FAILED, "Timeout")
    assert late.error_message == "Timed out after 1 s."
    assert finished(shared, "who").state is State.SUCCEEDED


def test_a_run_that_kills_its_process_fails_and_the_next_one_runs(shared: Backend) -> None:
    dead = finished(shared, "crash")
    assert (dead.state, dead.error_kind) == (State.FAILED, "ProcessKilled")
    assert finished(shared, "who").state is State.SUCCEEDED


def test_rq_keeps_nothing_of_what_succeeded(served: Backend) -> None:
    finished(served, "who")
    until(lambda: not served.redis.keys("rq:job:*"), "the end of RQ's record")
    assert served.queue.get_job_ids() == []
    assert served.queue.failed_job_registry.get_job_ids() == []


def test_a_job_without_a_run_harms_nobody(shared: Backend) -> None:
    push(shared.queue, (999_999, 1))
    assert finished(shared, "who").state is State.SUCCEEDED


def test_runs_that_wait_behind_each_other_are_executed_in_their_order_and_rq_counts_them(served: Backend) -> None:
    busy = start(served, "stubborn")
    until(lambda: read(served, busy).progress, "the start")
    runs = [start(served, "who") for _ in range(30)]
    gone = runs.pop(11)
    cancel(served, gone.owner_id, gone.id)
    foreign = served.queue.enqueue_call("os.getpid")
    push(served.queue, (runs[0].id, 1))
    runs += [start(served, "who") for _ in range(5)]
    cancel(served, busy.owner_id, busy.id)
    done = [ended(served, run) for run in runs]
    assert {(run.state, run.attempt) for run in done} == {(State.SUCCEEDED, 1)}
    assert sorted(done, key=lambda run: (run.started_at, run.id)) == done
    until(lambda: not served.queue.get_job_ids(), "the end of the queue")
    until(lambda: served.queue.failed_job_registry.get_job_ids() == [foreign.id], "what was refused being kept")
    until(lambda: Worker.all(connection=served.redis)[0].get_state() == WorkerStatus.IDLE, "the worker being idle")
    (worker,) = Worker.all(connection=served.redis)
    assert (worker.successful_job_count, worker.failed_job_count) == (len(runs) + 1, 1)
    assert not served.redis.zcard(served.queue.started_job_registry.key)


def test_a_run_that_takes_its_time_leaves_the_jobs_behind_it_to_other_workers(served: Backend) -> None:
    first = start(served, "stubborn")
    until(lambda: read(served, first).progress, "the start")
    second, *others = (start(served, name) for name in ("stubborn", "who", "who"))
    waiting = [f"run-{run.id}-1" for run in others]
    cancel(served, first.owner_id, first.id)
    until(lambda: read(served, second).progress, "the start of the second")
    until(lambda: served.queue.get_job_ids() == waiting and not taken(served.queue), "the jobs being on the queue")
    cancel(served, second.owner_id, second.id)
    assert {(run.state, run.attempt) for run in (ended(served, run) for run in others)} == {(State.SUCCEEDED, 1)}


def test_a_run_that_fails_costs_the_jobs_behind_it_nothing(served: Backend) -> None:
    busy = start(served, "stubborn")
    until(lambda: read(served, busy).progress, "the start")
    runs = [start(served, name) for name in ("crash", "who", "crash", "crash", "who")]
    cancel(served, busy.owner_id, busy.id)
    done = [ended(served, run) for run in runs]
    assert [run.state.value for run in done] == ["failed", "succeeded", "failed", "failed", "succeeded"]
    assert sorted(done, key=lambda run: (run.started_at, run.id)) == done
    until(lambda: not served.redis.keys("rq:job:*") and not taken(served.queue), "the end of RQ's record")


def test_a_stop_that_was_swallowed_is_remembered(backend: Backend) -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    worker = RunWorker(backend, "test", lambda channel: None)
    try:
        with contextlib.suppress(StopRequested):  # as a destructor does that the signal interrupts
            worker.request_stop(signal.SIGTERM, None)
        with pytest.raises(StopRequested):
            worker.heartbeat()
    finally:
        worker.teardown()
        for number, handler in before.items():
            signal.signal(number, handler)


def test_a_stop_reaches_a_task_that_looks_and_lets_it_tidy_up(shared: Backend, tmp_path: Path) -> None:
    run = start(shared, "tidy", folder=str(tmp_path))
    until(lambda: read(shared, run).progress, "the start")
    for _click in range(5):
        cancel(shared, run.owner_id, run.id)
    assert ended(shared, run).state is State.CANCELLED
    assert (tmp_path / "tidied").exists()


def test_a_stop_kills_a_task_that_takes_no_notice_and_the_next_one_runs(shared: Backend) -> None:
    run = start(shared, "stubborn")
    until(lambda: read(shared, run).progress, "the start")
    cancel(shared, run.owner_id, run.id)
    assert ended(shared, run).state is State.CANCELLED
    assert finished(shared, "who").state is State.SUCCEEDED


@pytest.mark.parametrize("lease_seconds", [4])
def test_a_stop_whose_message_was_lost_is_seen_in_the_row(served: Backend) -> None:
    run = start(served, "stubborn")
    until(lambda: read(served, run).progress, "the start")
    lease.request_stop(served.database, run.id, run.owner_id)
    assert ended(served, run).state is State.CANCELLED


def test_a_run_that_fails_is_tried_again_as_often_as_its_task_says(shared: Backend, tmp_path: Path) -> None:
    run = finished(shared, "fail_twice", folder=str(tmp_path))
    assert (run.state, run.result, run.attempt, run.failures, run.error_message) == (State.SUCCEEDED, 3, 3, 2, None)


@pytest.mark.parametrize(("final", "attempts"), [(True, 1), (False, 3)])
def test_a_failure_that_is_declared_final_is_not_tried_again(shared: Backend, final: bool, attempts: int) -> None:
    run = finished(shared, "give_up", final=final)
    assert (run.state, run.attempt, run.failures) == (State.FAILED, attempts, attempts)


def test_a_task_that_takes_too_much_memory_fails_and_the_next_one_runs(shared: Backend) -> None:
    run = finished(shared, "gobble")
    assert (run.state, run.error_kind) == (State.FAILED, "OutOfMemory")
    assert run.error_message == "Out of memory. This task is limited to 100 MB."
    assert finished(shared, "who").state is State.SUCCEEDED


def test_an_attempt_goes_on_where_the_one_before_was_lost(served: Backend, tmp_path: Path) -> None:
    run = start(served, "resume", folder=str(tmp_path))
    at = tmp_path / "at"
    for step in ("1", "3"):
        until(partial(_says, at, step), "two more steps")
        kill_worker_of(served, run)
    run = ended(served, run)
    assert (run.state, run.result, run.losses, run.attempt) == (State.SUCCEEDED, [0, 1, 2, 3, 4], 2, 3)


def _says(path: Path, text: str) -> bool:
    return path.exists() and path.read_text() == text


@pytest.mark.parametrize("how", ["by itself", "by force"])
def test_stopping_gives_a_run_at_hand_back_without_spending_an_attempt_and_wakes_the_next_worker(
    backend: Backend, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr("jobs.worker.worker.GRACE_SECONDS", 0.5)
    monkeypatch.setattr("jobs.worker.supervisor.KILL_SECONDS", 2)
    with serving(backend.settings, TASKS) as served:
        run = start(served, "stubborn")
        until(lambda: read(served, run).progress, "the start")
        if how == "by force":
            os.kill(worker_of(served, run), signal.SIGSTOP)
        page = backend.redis.pubsub()
        page.subscribe(events.channel(run.owner_id))
    now = read(served, run)
    assert (now.state, now.attempt, now.losses, now.lease_token) == (State.QUEUED, 1, 0, None)
    heard = [message["data"] for message in iter(partial(page.get_message, timeout=0.2), None)]
    assert json.dumps({"run": run.id, "version": now.version}).encode() in heard
    assert backend.queue.get_job_ids() == [f"run-{run.id}-1"]
    assert backend.queue.fetch_job(f"run-{run.id}-1"), "the job that was pushed last is there"
