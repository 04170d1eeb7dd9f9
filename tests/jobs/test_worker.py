"""The worker: real jobs from a real queue, in a process of its own."""

import contextlib
import multiprocessing
import os
import signal
import time
from collections.abc import Iterator

import pytest
from rq.exceptions import StopRequested

from jobs import Backend, Catalog, Run, State, lease, open_backend, presence, submit, task
from jobs.worker import RunWorker
from tests.people import make_owner, read
from tests.waiting import until


@task
def who() -> int:
    """Tell which process this is."""
    return os.getpid()


@task(timeout=1)
def linger() -> None:
    """Take longer than allowed, whatever comes."""
    while True:
        try:
            signal.pause()
        except BaseException:
            continue


@task
def crash() -> None:
    """End the process."""
    os.kill(os.getpid(), signal.SIGKILL)


TASKS = Catalog({function.__name__: function.__dict__["__task__"] for function in (who, linger, crash)})


def work(backend: Backend) -> None:
    RunWorker(backend).work(logging_level="WARNING")


@pytest.fixture
def kitchen(backend: Backend) -> Iterator[Backend]:
    """A backend with the tasks above and one worker."""
    opened = open_backend(backend.settings, TASKS)
    worker = multiprocessing.get_context("fork").Process(target=work, args=(opened,))
    worker.start()
    until(lambda: presence.alive(opened.database), "the worker")
    yield opened
    worker.terminate()
    worker.join()
    assert presence.alive(opened.database) == 0, "a worker that stops says so"


def finished(backend: Backend, name: str) -> Run:
    owner_id = make_owner(backend, f"{time.time_ns()}@example.com")
    run = submit(backend, TASKS[name], owner_id, TASKS[name].parameters())
    until(lambda: read(backend, run).state.ended, "the end of the run")
    return read(backend, run)


def test_runs_share_a_warm_process(kitchen: Backend) -> None:
    first, second = finished(kitchen, "who"), finished(kitchen, "who")
    assert first.state is State.SUCCEEDED
    assert first.result == second.result


def test_a_run_that_takes_too_long_fails_from_outside_and_the_next_one_runs(kitchen: Backend) -> None:
    late = finished(kitchen, "linger")
    assert (late.state, late.error_kind) == (State.FAILED, "Timeout")
    assert late.error_message == "It ran longer than this task may take (1 s)."
    assert finished(kitchen, "who").state is State.SUCCEEDED


def test_a_run_that_kills_its_process_fails_and_the_next_one_runs(kitchen: Backend) -> None:
    dead = finished(kitchen, "crash")
    assert (dead.state, dead.error_kind) == (State.FAILED, "ProcessKilled")
    assert finished(kitchen, "who").state is State.SUCCEEDED


def test_rq_keeps_nothing_of_what_succeeded(kitchen: Backend) -> None:
    finished(kitchen, "who")
    until(lambda: not kitchen.redis.keys("rq:job:*"), "the end of RQ's record")
    assert kitchen.queue.get_job_ids() == []
    assert kitchen.queue.failed_job_registry.get_job_ids() == []


def test_a_job_without_a_run_harms_nobody(kitchen: Backend) -> None:
    kitchen.queue.enqueue_call("jobs.dispatch.execute", args=(999_999,), timeout=-1)
    assert finished(kitchen, "who").state is State.SUCCEEDED


def test_the_lease_of_a_running_run_lies_ahead(kitchen: Backend) -> None:
    run = finished(kitchen, "who")
    assert (run.lease_token, run.lease_expires_at) == (None, None)
    assert lease.RENEW_SECONDS * 3 < lease.LEASE_SECONDS


def test_a_stop_that_was_swallowed_is_remembered(backend: Backend) -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    worker = RunWorker(backend)
    try:
        with contextlib.suppress(StopRequested):  # as a destructor does that the signal interrupts
            worker.request_stop(signal.SIGTERM, None)  # type: ignore[no-untyped-call]  # RQ leaves it untyped
        with pytest.raises(StopRequested):
            worker.heartbeat()
    finally:
        worker.kill_horse()
        for number, handler in before.items():
            signal.signal(number, handler)
