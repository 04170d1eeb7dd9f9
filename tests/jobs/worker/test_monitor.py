"""The monitor of a run: the worker stores the output of a running task, however the task ends."""

import json
import logging
import math
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from jobs import Cancelled, Emit, Log, task
from jobs.runs import events, lease
from jobs.runs.backend import Backend
from jobs.runs.output import read_output
from jobs.runs.output_entries import OutputKind
from jobs.runs.run import Run, State
from jobs.runs.submission import cancel
from jobs.values.outcome import Failure, Success
from jobs.worker.file_requests import FileRequests
from jobs.worker.monitor import Monitor, WorkerContext
from jobs.worker.template_client import TemplateClient
from jobs.worker.wakeup_pipe import WakeupPipe
from jobs.worker.workspace import workspace
from tests.support import databases
from tests.support.people import claimed, make_owner, make_run, read
from tests.support.serving import catalog_of, ended, serving, start, template_of
from tests.support.waiting import until


def wait_for(path: str) -> None:
    while not Path(path).exists():
        threading.Event().wait(0.01)


@task
def say(file: str, log: Log, emit: Emit) -> str:
    """Write output of every kind, and end once the file exists."""
    print("printed")
    log("logged")
    emit({"step": 1})
    wait_for(file)
    print("the last line", end="")
    return "done"


@task
def die(file: str) -> None:
    """Print, and end the process."""
    print("the last words")
    wait_for(file)
    os.kill(os.getpid(), signal.SIGKILL)


@task(retries=1, backoff=0.1)
def try_twice() -> None:
    """Fail twice."""
    print("trying")
    raise RuntimeError("it failed")


@task
def flood() -> None:
    """Print without end."""
    number = 0
    while True:
        number += 1
        print(number)


@task
def waste(lines: int) -> int:
    """Print many lines."""
    for number in range(lines):
        print("x" * 80, number)
    return lines


def hang(seconds: float) -> None:
    """Wait, as for a Redis that does not answer."""
    threading.Event().wait(seconds)


@task(timeout=1)
def linger() -> None:
    """Take longer than allowed."""
    signal.pause()


@task(timeout=30, grace=60)
def heed(cancelled: Cancelled) -> str:
    """Wait for a stop."""
    until(cancelled, "the stop")
    return "heard of it"


ALL = (say, die, try_twice, flood, waste)
TASKS = catalog_of(*ALL)


@pytest.fixture
def served(backend: Backend) -> Iterator[Backend]:
    """A backend with the tasks above and one worker."""
    with serving(backend.settings, TASKS) as one:
        yield one


def lines(backend: Backend, run: Run) -> list[tuple[int, str]]:
    stored = read_output(backend.database, run.id, OutputKind.LOG).batches
    return [(one.attempt, entry.content) for one in stored for entry in one.entries]


def test_lines_and_partial_results_are_there_while_the_task_runs(served: Backend, tmp_path: Path) -> None:
    run = start(served, "say", file=str(tmp_path / "go"))
    until(lambda: lines(served, run) == [(1, "printed"), (1, "logged")], "the lines")
    until(lambda: read_output(served.database, run.id, OutputKind.EMITTED).batches, "the partial result")
    assert read(served, run).state is State.RUNNING
    (tmp_path / "go").touch()
    assert ended(served, run).result == "done"
    assert lines(served, run)[-1] == (1, "the last line")


def test_what_was_put_out_before_an_abrupt_end_is_kept(served: Backend, tmp_path: Path) -> None:
    run = start(served, "die", file=str(tmp_path / "go"))
    until(lambda: lines(served, run), "the line")
    (tmp_path / "go").touch()
    assert ended(served, run).error_kind == "ProcessKilled"
    assert lines(served, run) == [(1, "the last words")]


def test_every_attempt_keeps_its_lines(served: Backend) -> None:
    run = start(served, "try_twice")
    assert ended(served, run).attempt == 2
    assert lines(served, run) == [(1, "trying"), (2, "trying")]


def test_a_flood_harms_nobody_and_is_stopped_like_anything_else(served: Backend) -> None:
    run = start(served, "flood")
    until(lambda: read_output(served.database, run.id, OutputKind.LOG).dropped, "the first line to give way")
    stored = sum(len(one.entries) for one in read_output(served.database, run.id, OutputKind.LOG).batches)
    assert stored <= 10_000
    cancel(served, run.owner_id, run.id)
    assert ended(served, run).state is State.CANCELLED


@pytest.fixture
def log_file(tmp_path: Path) -> Iterator[Path]:
    """The file to which a worker logs that starts after this."""
    handler = logging.FileHandler(tmp_path / "log.txt")
    logging.getLogger("jobs").addHandler(handler)
    yield tmp_path / "log.txt"
    logging.getLogger("jobs").removeHandler(handler)
    handler.close()


def test_the_last_line_is_stored_although_the_database_is_away_when_the_task_ends(
    log_file: Path, served: Backend, tmp_path: Path
) -> None:
    run = start(served, "say", file=str(tmp_path / "go"))
    until(lambda: len(lines(served, run)) == 2, "the lines")
    databases.take_away(served.settings.data_dir)
    try:
        (tmp_path / "go").touch()
        until(lambda: "could not record the outcome" in log_file.read_text(), "an attempt to record the end")
    finally:
        databases.bring_back(served.settings.data_dir)
    assert ended(served, run).result == "done"
    assert lines(served, run)[-1] == (1, "the last line")


def test_when_a_run_has_ended_all_of_its_output_is_there(served: Backend) -> None:
    run = start(served, "waste", lines=3000)
    ended(served, run)
    assert len(lines(served, run)) == 3000


def test_a_run_that_ends_at_once_is_published_once_and_a_longer_one_also_when_it_starts(
    log_file: Path, served: Backend, tmp_path: Path
) -> None:
    with served.redis.pubsub(ignore_subscribe_messages=True) as pages:
        pages.psubscribe(f"{events.CHANNEL}*")
        assert pages.get_message(timeout=10) is None  # the subscription is there
        runs = [start(served, "waste", lines=0) for _ in range(40)]
        long = start(served, "say", file=str(tmp_path / "go on"))
        started = served.queue.started_job_registry
        until(lambda: started.get_job_ids() == [f"run-{long.id}-1"], "the start in RQ's record")
        told = [json.loads(event["data"]) for event in iter(lambda: pages.get_message(timeout=1), None)]
    (tmp_path / "go on").touch()
    every = (*runs, long)
    versions = {run.id: [event["version"] for event in told if event["run"] == run.id] for run in every}
    # The first version is published by who submits, which may be overtaken by the worker.
    by_worker = [[version for version in told if version > 1] for told in versions.values()]
    assert all(told == sorted(told) for told in by_worker), "in their order"
    assert sorted(versions.pop(long.id))[:2] == [1, 2]  # queued, running, and what it puts out after that
    assert [1, 3] in map(sorted, versions.values())  # queued, succeeded; a busy machine is slower with some of them
    assert [read(served, run).state for run in runs] == [State.SUCCEEDED] * len(runs)


@contextmanager
def monitored(backend: Backend, name: str, function: Callable[..., Any]) -> Iterator[tuple[Monitor, Run, WakeupPipe]]:
    """The monitor of a claimed run, which a test lets go on, and the pipe that wakes it."""
    run, tasks = make_run(backend, make_owner(backend), name, parameters={}), catalog_of(function)
    with template_of(tasks) as ask, workspace(None) as folder:
        wakeup, template = WakeupPipe(), TemplateClient(ask)
        files = FileRequests(backend.files, wakeup)
        context = WorkerContext(backend, wakeup, template, files, lambda: math.inf, lambda: None)
        yield Monitor(context, claimed(backend, run), tasks[name].summary, folder), run, wakeup
        template.close_and_wait()


def test_a_stop_that_comes_before_there_is_a_process_reaches_the_task(backend: Backend) -> None:
    with monitored(backend, "heed", heed) as (monitor, run, wakeup):
        lease.request_stop(backend.database, run.id, run.owner_id)
        wakeup.wake()
        outcome = monitor.outcome(lambda: None, lambda: None)
    assert outcome == Success("heard of it")


def test_a_redis_that_hangs_while_a_run_begins_is_not_asked_again_before_its_time_is_up(backend: Backend) -> None:
    told: list[str] = []
    with monitored(backend, "linger", linger) as (monitor, _run, _wakeup):
        outcome = monitor.outcome(lambda: hang(1.5), lambda: told.append("start"))
    assert (outcome.kind if isinstance(outcome, Failure) else outcome, told) == ("Timeout", [])
