"""The runner: what becomes of a run inside a worker."""

import enum
import math
import threading
from datetime import timedelta
from typing import Any

import pytest

from jobs import Progress, task
from jobs.runs import lease
from jobs.runs.backend import Backend, open_backend
from jobs.runs.run import Run, State
from jobs.storage.database import utcnow
from jobs.values.json_value import ResultError, json_value
from jobs.values.outcome import Success
from jobs.worker import attempt
from tests.support import databases
from tests.support.people import execute, make_owner, make_run, read
from tests.support.serving import catalog_of

OLD = utcnow() - timedelta(minutes=11)


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


@task
def misbehave(how: str) -> Any:
    """Do what tasks should not do."""
    if how == "raise":
        raise RuntimeError("the oven is cold \x00")
    if how == "exit":
        raise SystemExit(3)
    if how == "large":
        return "x" * 2_000_000
    if how == "object":
        return object()
    if how == "mute":
        raise Mute
    return None


@task
def count(to: int, progress: Progress) -> int:
    """Count, telling how far it has come."""
    for step in range(to):
        progress((step + 1) / to, f"step {step + 1}")
    return to


@pytest.fixture
def with_tasks(backend: Backend) -> Backend:
    """The backend with the tasks above."""
    return open_backend(backend.settings, catalog_of(misbehave, count))


def executed(backend: Backend, task_name: str, parameters: dict[str, Any], **values: Any) -> Run:
    run = make_run(backend, make_owner(backend), task_name, parameters=parameters, **values)
    execute(backend, run.id)
    return read(backend, run)


def test_a_result_is_recorded(backend: Backend) -> None:
    run = executed(backend, "reverse_text", {"text": "abc"})
    assert (run.state, run.result, run.worker) == (State.SUCCEEDED, "cba", "worker")


@pytest.mark.parametrize(
    ("how", "kind", "words"),
    [
        ("raise", "RuntimeError", "the oven is cold \\x00"),
        ("exit", "SystemExit", "The task called sys.exit(3)."),
        ("large", "ResultError", "too large: 2,000,002 bytes"),
        ("object", "ResultError", "cannot be stored as JSON"),
        ("mute", "Mute", "unreadable message"),
    ],
)
def test_a_failure_says_what_happened(with_tasks: Backend, how: str, kind: str, words: str) -> None:
    run = executed(with_tasks, "misbehave", {"how": how})
    assert (run.state, run.error_kind) == (State.FAILED, kind)
    assert words in (run.error_message or "")


def test_the_traceback_begins_in_the_task(with_tasks: Backend) -> None:
    traceback = executed(with_tasks, "misbehave", {"how": "raise"}).error_traceback or ""
    assert "in misbehave" in traceback
    assert "jobs/worker/execute.py" not in traceback


def test_a_task_that_is_gone_is_named_when_no_other_worker_has_taken_the_run(with_tasks: Backend) -> None:
    assert executed(with_tasks, "vanished", {}, queued_at=OLD).error_kind == "NoSuchTask"


def test_a_task_that_only_a_newer_deployment_knows_is_left_to_it(with_tasks: Backend, backend: Backend) -> None:
    run = executed(with_tasks, "reverse_text", {"text": "abc"})
    assert (run.state, run.version) == (State.QUEUED, 1)
    execute(backend, run.id)
    assert read(backend, run).result == "cba"


@pytest.mark.parametrize("is_due_now", [False, True], ids=["again", "for another attempt"])
def test_an_old_run_that_has_just_been_queued_is_left_to_a_newer_deployment(
    with_tasks: Backend, is_due_now: bool
) -> None:
    queued = {"queued_at": OLD, "due_at": utcnow()} if is_due_now else {}
    run = executed(with_tasks, "reverse_text", {"text": "abc"}, created_at=OLD, **queued)
    assert (run.state, run.version) == (State.QUEUED, 1)


def test_parameters_that_no_longer_fit_are_named(with_tasks: Backend) -> None:
    assert executed(with_tasks, "count", {"upto": 3}).error_kind == "InvalidParameters"


def test_progress_is_recorded_and_the_last_report_always(with_tasks: Backend) -> None:
    run = executed(with_tasks, "count", {"to": 500})
    assert (run.progress, run.progress_note, run.result) == (1.0, "step 500", 500)
    assert run.version < 100, "500 reports at once are not 500 writes"


def test_a_run_is_executed_once_however_often_a_worker_is_woken(backend: Backend) -> None:
    run = make_run(backend, make_owner(backend))
    for _ in range(3):
        execute(backend, run.id)
    assert read(backend, run).version == 3


def test_a_cancelled_run_is_left_alone(backend: Backend) -> None:
    run = make_run(backend, make_owner(backend))
    lease.cancel(backend.database, run.id, run.owner_id)
    execute(backend, run.id)
    assert read(backend, run).state is State.CANCELLED


class Colour(enum.Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("value", "kept"),
    [(10**40, 10**40), ((1, 2), [1, 2]), ({1: "a"}, {"1": "a"}), (Colour.RED, "red"), (math.nan, "NaN"), (None, None)],
)
def test_results_are_kept_as_json(value: Any, kept: Any) -> None:
    assert json_value(value) == kept


def test_a_result_that_refers_to_itself_is_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(ResultError):
        json_value(loop)


def test_an_outcome_outlasts_a_database_that_is_away(backend: Backend) -> None:
    run = make_run(backend, make_owner(backend))
    data_dir = backend.settings.data_dir

    taken = attempt.take(backend, "worker")
    assert taken is not None
    databases.take_away(data_dir)
    threading.Timer(0.5, databases.bring_back, [data_dir]).start()
    assert attempt.end(backend, taken, Success("kept")).changes
    assert (read(backend, run).state, read(backend, run).result) == (State.SUCCEEDED, "kept")
