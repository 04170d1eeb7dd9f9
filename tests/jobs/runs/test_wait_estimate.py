"""The wait_estimate of a run that waits: how many wait before it, and about how long they take."""

from datetime import timedelta

import pytest

from jobs.runs import heartbeats
from jobs.runs.backend import Backend
from jobs.runs.run import Run, State
from jobs.runs.wait_estimate import MOST_AHEAD, WaitEstimate, wait_estimates
from jobs.storage.database import utcnow
from tests.support.history import write_queue
from tests.support.people import make_owner, make_run

NOW = utcnow()


@pytest.fixture
def owner_id(backend: Backend) -> int:
    return make_owner(backend)


def waiting(backend: Backend, owner_id: int, minutes: int, task: str = "reverse_text") -> Run:
    return make_run(backend, owner_id, task, queued_at=NOW - timedelta(minutes=minutes))


def took(backend: Backend, owner_id: int, seconds: float, task: str = "reverse_text") -> None:
    make_run(backend, owner_id, task, state=State.SUCCEEDED, started_at=NOW - timedelta(seconds=seconds), ended_at=NOW)


def test_a_run_without_a_worker_says_so(backend: Backend, owner_id: int) -> None:
    run = waiting(backend, owner_id, 1)
    assert wait_estimates(backend.database, [run]) == {run.id: WaitEstimate(workers=0, ahead=0, seconds=None)}


def test_runs_of_everybody_that_wait_longer_are_ahead(backend: Backend, owner_id: int) -> None:
    other = make_owner(backend, "other@example.com")
    last, first, middle = waiting(backend, owner_id, 1), waiting(backend, other, 3), waiting(backend, owner_id, 2)
    make_run(backend, other, due_at=NOW, queued_at=NOW - timedelta(hours=1))
    found = wait_estimates(backend.database, [last, first, middle])
    assert [found[run.id].ahead for run in (first, middle, last)] == [0, 1, 2]


def test_runs_are_counted_up_to_a_limit(backend: Backend, owner_id: int) -> None:
    heartbeats.seen(backend.database, "one")
    took(backend, owner_id, 2)
    write_queue(backend.database, make_owner(backend, "other@example.com"), MOST_AHEAD)
    last, beyond = waiting(backend, owner_id, 1), waiting(backend, owner_id, 0)
    found = wait_estimates(backend.database, [beyond, last])
    assert (found[last.id].ahead, found[last.id].more) == (MOST_AHEAD, False)
    assert (found[beyond.id].ahead, found[beyond.id].more) == (MOST_AHEAD, True)


def test_the_estimate_is_the_time_of_similar_runs_shared_by_the_workers(backend: Backend, owner_id: int) -> None:
    for name in ("one", "two"):
        heartbeats.seen(backend.database, name)
    for seconds in (9, 10, 60):
        took(backend, owner_id, seconds)
    took(backend, owner_id, 4, "factorise")
    for task in ("reverse_text", "reverse_text", "factorise"):
        waiting(backend, owner_id, 5, task)
    run = waiting(backend, owner_id, 1)
    assert wait_estimates(backend.database, [run])[run.id] == WaitEstimate(workers=2, ahead=3, seconds=12)
    for _worker in range(2):
        make_run(backend, owner_id, "factorise", state=State.RUNNING)
    assert wait_estimates(backend.database, [run])[run.id].seconds == 14


def test_a_task_that_never_succeeded_makes_the_time_unknown(backend: Backend, owner_id: int) -> None:
    heartbeats.seen(backend.database, "one")
    waiting(backend, owner_id, 2)
    run = waiting(backend, owner_id, 1)
    assert wait_estimates(backend.database, [run])[run.id] == WaitEstimate(workers=1, ahead=1, seconds=None)


def test_runs_that_do_not_wait_for_a_worker_have_no_wait_estimate(backend: Backend, owner_id: int) -> None:
    runs = [make_run(backend, owner_id, state=State.RUNNING), make_run(backend, owner_id, due_at=NOW)]
    assert wait_estimates(backend.database, runs) == {}
