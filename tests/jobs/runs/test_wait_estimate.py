"""The wait_estimate of a run that waits: how many wait before it, and about how long they take."""

from datetime import timedelta

import pytest

from jobs.runs import heartbeats, lease, pauses
from jobs.runs.backend import Backend
from jobs.runs.lease import Claim
from jobs.runs.lines import MOST_AHEAD
from jobs.runs.pauses import Kind
from jobs.runs.run import Run, State
from jobs.runs.start_times import LATER, LATER_SECONDS, SOONER, Interval
from jobs.runs.wait_estimate import WaitEstimate, wait_estimates
from jobs.storage.database import utcnow
from tests.support.history import write_queue
from tests.support.people import make_owner, make_run, weigh

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
    assert wait_estimates(backend.database, [run]) == {run.id: WaitEstimate(workers=0)}


def test_the_position_is_the_one_in_which_the_runs_are_claimed(backend: Backend, owner_id: int) -> None:
    """Three people, one of them with a double weight and one with long runs, and a worker that has all tasks."""
    owners = [owner_id, *(make_owner(backend, f"{name}@example.com") for name in ("ben", "eve"))]
    took(backend, owner_id, 3)
    took(backend, owner_id, 7, "factorise")
    weigh(backend, owners[1], 2)
    tasks = ("reverse_text", "reverse_text", "factorise")
    runs = [waiting(backend, owner, 1, task) for owner, task in zip(owners, tasks, strict=True) for _each in range(4)]
    make_run(backend, owner_id, due_at=NOW + timedelta(hours=1))
    gone = runs.pop()
    lease.cancel(backend.database, gone.id, gone.owner_id)
    claim = Claim("worker", backend.tasks, backend.durations)
    for _claim in range(len(runs)):
        found = wait_estimates(backend.database, runs)
        order = sorted(runs, key=lambda run: found[run.id].ahead)
        assert [found[run.id].ahead for run in order] == list(range(len(runs)))
        taken = lease.claim_next(backend.database, claim)
        assert taken is not None
        assert taken.id == order[0].id
        runs = order[1:]


def test_runs_are_counted_up_to_a_limit(backend: Backend, owner_id: int) -> None:
    heartbeats.seen(backend.database, "one")
    took(backend, owner_id, 2)
    write_queue(backend.database, owner_id, MOST_AHEAD)
    last, beyond = waiting(backend, owner_id, 1), waiting(backend, owner_id, 0)
    found = wait_estimates(backend.database, [beyond, last])
    assert (found[last.id].ahead, found[last.id].more) == (MOST_AHEAD, False)
    assert (found[beyond.id].ahead, found[beyond.id].more) == (MOST_AHEAD, True)


def test_of_many_lines_only_their_beginnings_are_counted(
    backend: Backend, owner_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.runs.lines.MOST_AHEAD", 4)
    took(backend, owner_id, 3)
    took(backend, owner_id, 1, "factorise")
    for name in ("ben", "eve"):
        other = make_owner(backend, f"{name}@example.com")
        for _each in range(5):
            waiting(backend, other, 1, "factorise")
    runs = [waiting(backend, owner_id, 1) for _each in range(3)]
    found = wait_estimates(backend.database, runs)
    assert [(found[run.id].ahead, found[run.id].more) for run in runs] == [(2, False), (5, True), (6, True)]


def test_the_time_is_that_of_similar_runs_shared_by_the_workers(backend: Backend, owner_id: int) -> None:
    for name in ("one", "two"):
        heartbeats.seen(backend.database, name)
    took(backend, owner_id, 10)
    took(backend, owner_id, 4, "factorise")
    for task in ("reverse_text", "reverse_text", "factorise"):
        waiting(backend, owner_id, 5, task)
    run = waiting(backend, owner_id, 1)

    def expected() -> tuple[float, float]:
        found = wait_estimates(backend.database, [run])[run.id]
        assert (found.workers, found.ahead, found.position, found.people) == (2, 3, 4, 0)
        assert found.seconds
        return found.seconds.least, found.seconds.most

    assert expected() == pytest.approx((SOONER * 10, LATER * 10 + LATER_SECONDS), abs=0.2)
    for worker in ("one", "two"):
        make_run(backend, owner_id, "factorise", state=State.RUNNING, worker=worker, started_at=utcnow())
    assert expected() == pytest.approx((SOONER * 14, LATER * 14 + LATER_SECONDS), abs=0.2)


def test_the_time_is_that_of_runs_with_inputs_of_about_the_same_size(backend: Backend, owner_id: int) -> None:
    heartbeats.seen(backend.database, "one")
    for seconds, size in ((1, 1_000), (100, 1_000_000)):
        begun = NOW - timedelta(seconds=seconds)
        for _each in range(3):
            past = make_run(backend, owner_id, state=State.SUCCEEDED, started_at=begun, ended_at=NOW, input_bytes=size)
            assert past.input_bytes == size
    make_run(backend, owner_id, input_bytes=900_000)
    run = waiting(backend, owner_id, 1)
    found = wait_estimates(backend.database, [run])[run.id].seconds
    assert found
    assert (found.least, found.most) == pytest.approx((SOONER * 100, LATER * 100 + LATER_SECONDS))


def test_a_task_that_never_succeeded_makes_the_time_unknown(backend: Backend, owner_id: int) -> None:
    heartbeats.seen(backend.database, "one")
    first, run = waiting(backend, owner_id, 2), waiting(backend, owner_id, 1)
    found = wait_estimates(backend.database, [first, run])
    assert found[first.id].seconds == Interval(0, 0)
    assert found[run.id] == WaitEstimate(workers=1, ahead=1, position=2)


def test_a_run_tells_people_from_runs_and_whom_it_has_been_overtaken_by(backend: Backend, owner_id: int) -> None:
    ben, eve = (make_owner(backend, f"{name}@example.com") for name in ("ben", "eve"))
    failed = make_run(backend, owner_id, state=State.FAILED)
    for _each in range(3):
        waiting(backend, ben, 2)
    run = waiting(backend, owner_id, 1)
    took(backend, owner_id, 9)

    def place() -> tuple[int, int, int, list[int]]:
        found = wait_estimates(backend.database, [run])[run.id]
        return found.position, found.people, found.came_later, list(found.overtaken_by)

    assert place() == (1, 1, 0, [])
    lease.requeue(backend.database, failed.id, owner_id)
    assert place() == (2, 1, 0, [failed.id])
    waiting(backend, eve, 0)
    assert place() == (2, 2, 1, [failed.id])


def test_drained_workers_are_not_at_work(backend: Backend, owner_id: int) -> None:
    heartbeats.seen(backend.database, "one")
    heartbeats.seen(backend.database, "two")
    run = waiting(backend, owner_id, 1)
    pauses.pause(backend.database, Kind.WORKER, "one", "", "boss@example.com")
    assert wait_estimates(backend.database, [run])[run.id].workers == 1
    pauses.pause(backend.database, Kind.WORKER, "two", "", "chief@example.com")
    found = wait_estimates(backend.database, [run])[run.id]
    assert (found.workers, found.drained and found.drained.paused_by) == (0, "chief@example.com")


def test_runs_that_do_not_wait_for_a_worker_have_no_wait_estimate(backend: Backend, owner_id: int) -> None:
    runs = [make_run(backend, owner_id, state=State.RUNNING), make_run(backend, owner_id, due_at=NOW)]
    assert wait_estimates(backend.database, runs) == {}
