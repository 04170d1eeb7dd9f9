"""Leases: a run is claimed by one worker, and one completion commits."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import update

from jobs.runs import lease
from jobs.runs.backend import Backend
from jobs.runs.lease import Change, Claim, Hold
from jobs.runs.run import Run, State
from jobs.storage.database import utcnow
from jobs.values.outcome import Failure
from tests.support.people import make_owner, make_run, read


@pytest.fixture
def run(backend: Backend) -> Run:
    return make_run(backend, make_owner(backend))


def expire(backend: Backend) -> list[Change]:
    """Expire all leases in their current state."""
    return lease.expire(backend.database, lease.leases(backend.database))


def test_a_queued_run_is_claimed_by_one_of_many_workers(backend: Backend, run: Run) -> None:
    with ThreadPoolExecutor(8) as threads:
        claims = list(threads.map(lambda n: lease.claim(backend.database, run.id, f"worker {n}"), range(8)))
    won = [claim for claim in claims if claim is not None]
    assert len(won) == 1
    assert (won[0].state, won[0].version) == (State.RUNNING, 2)
    assert read(backend, run).worker == won[0].worker


def test_the_holder_finishes_and_nobody_finishes_again(backend: Backend, run: Run) -> None:
    held = lease.claim(backend.database, run.id, "worker")
    assert held is not None
    assert lease.succeed(backend.database, held, "dish") == Change(run.id, run.owner_id, 3)
    assert lease.succeed(backend.database, held, "another dish") is None
    assert lease.fail(backend.database, held, Failure("Late", "too late")) is None
    now = read(backend, run)
    assert (now.state, now.result, now.version) == (State.SUCCEEDED, "dish", 3)
    assert now.seconds is not None


def test_a_run_that_lost_its_lease_cannot_finish(backend: Backend, run: Run) -> None:
    first = lease.claim(backend.database, run.id, "frozen")
    assert first is not None
    assert expire(backend) == [Change(run.id, run.owner_id, 3)]
    second = lease.claim(backend.database, run.id, "fresh")
    assert second is not None
    assert lease.succeed(backend.database, first, "late") is None
    assert lease.report(backend.database, first, 0.5, "late") is None
    assert lease.succeed(backend.database, second, "right") is not None
    assert (read(backend, run).result, read(backend, run).attempt) == ("right", 2)


def test_a_renewed_lease_does_not_run_out(backend: Backend, run: Run) -> None:
    held = lease.claim(backend.database, run.id, "worker")
    assert held is not None
    seen = lease.leases(backend.database)
    assert lease.renew(backend.database, held) == Hold(stop_requested=False)
    assert lease.expire(backend.database, seen) == []
    assert read(backend, run).state is State.RUNNING


def test_a_run_whose_worker_is_lost_again_and_again_fails(backend: Backend, run: Run) -> None:
    for _attempt in range(3):
        assert lease.claim(backend.database, run.id, "unlucky") is not None
        expire(backend)
    now = read(backend, run)
    assert (now.state, now.error_kind, now.attempt) == (State.FAILED, "WorkerLost", 3)


def test_a_lease_that_went_to_another_is_not_renewed_by_its_former_holder(backend: Backend, run: Run) -> None:
    first = lease.claim(backend.database, run.id, "worker")
    assert first is not None
    expire(backend)
    second = lease.claim(backend.database, run.id, "worker")
    assert second is not None
    assert lease.renew(backend.database, first) is None
    assert len(expire(backend)) == 1


def test_running_again_does_not_count_as_losing_the_worker(backend: Backend, run: Run) -> None:
    for _attempt in range(4):
        lease.cancel(backend.database, run.id, run.owner_id)
        lease.requeue(backend.database, run.id, run.owner_id)
    lease.claim(backend.database, run.id, "worker")
    expire(backend)
    assert (read(backend, run).state, read(backend, run).attempt) == (State.QUEUED, 6)


def test_a_released_run_waits_again_without_spending_an_attempt(backend: Backend, run: Run) -> None:
    lease.claim(backend.database, run.id, "leaving")
    lease.release(backend.database, "leaving")
    now = read(backend, run)
    assert (now.state, now.attempt, now.lease_token, now.started_at) == (State.QUEUED, 1, None, None)


def test_a_queued_run_is_cancelled_by_its_owner_only_and_never_starts(backend: Backend, run: Run) -> None:
    assert lease.cancel(backend.database, run.id, run.owner_id + 1) is None
    assert lease.cancel(backend.database, run.id, run.owner_id) is not None
    assert lease.claim(backend.database, run.id, "worker") is None
    assert read(backend, run).state is State.CANCELLED


def test_a_running_run_cannot_be_cancelled_as_if_it_waited(backend: Backend, run: Run) -> None:
    lease.claim(backend.database, run.id, "worker")
    assert lease.cancel(backend.database, run.id, run.owner_id) is None


def test_every_change_is_a_new_version(backend: Backend, run: Run) -> None:
    held = lease.claim(backend.database, run.id, "worker")
    assert held is not None
    lease.report(backend.database, held, 0.5, "half")
    lease.fail(backend.database, held, Failure("Oops", "it broke"))
    lease.requeue(backend.database, run.id, run.owner_id)
    now = read(backend, run)
    assert (now.version, now.state, now.attempt, now.error_kind, now.progress) == (5, State.QUEUED, 2, None, None)


def claimed(backend: Backend, run: Run) -> Run:
    held = lease.claim(backend.database, run.id, "worker")
    assert held is not None
    return held


def next_of(backend: Backend) -> Claim:
    return Claim("worker", backend.tasks, backend.durations)


def test_a_run_is_taken_along_with_the_end_of_the_one_before(backend: Backend, run: Run) -> None:
    after = make_run(backend, run.owner_id)
    first = claimed(backend, run)
    change, second = lease.succeed_and_claim(backend.database, first, "dish", next_of(backend))
    assert change == Change(run.id, run.owner_id, 3)
    assert second is not None
    assert (second.id, second.state, second.worker) == (after.id, State.RUNNING, "worker")
    assert read(backend, run).result == "dish"


@pytest.mark.parametrize("lost", ["the first", "the second"])
def test_of_two_runs_that_change_hands_together_each_has_its_own_condition(
    backend: Backend, run: Run, lost: str
) -> None:
    after = make_run(backend, run.owner_id)
    first = claimed(backend, run)
    if lost == "the first":
        expire(backend)
    else:
        lease.cancel(backend.database, after.id, after.owner_id)
    change, second = lease.succeed_and_claim(backend.database, first, "dish", next_of(backend))
    assert (change is None, second is None) == (lost == "the first", lost == "the second")
    states = {"the first": (State.RUNNING, State.QUEUED), "the second": (State.SUCCEEDED, State.CANCELLED)}
    assert (read(backend, run).state, read(backend, after).state) == states[lost]
    assert read(backend, run).result == (None if lost == "the first" else "dish")


def test_a_stop_is_asked_for_once_by_its_owner_and_known_at_the_next_renewal(backend: Backend, run: Run) -> None:
    held = claimed(backend, run)
    assert lease.request_stop(backend.database, run.id, run.owner_id + 1) is None
    assert lease.request_stop(backend.database, run.id, run.owner_id) is not None
    assert [lease.request_stop(backend.database, run.id, run.owner_id) for _click in range(4)] == [None] * 4
    assert read(backend, run).stopping
    assert lease.renew(backend.database, held) == Hold(stop_requested=True)
    assert lease.stop(backend.database, held) is not None
    assert read(backend, run).state is State.CANCELLED


def test_a_run_that_finishes_before_it_is_stopped_has_succeeded(backend: Backend, run: Run) -> None:
    held = claimed(backend, run)
    lease.request_stop(backend.database, run.id, run.owner_id)
    assert lease.succeed(backend.database, held, "in time") is not None
    assert lease.stop(backend.database, held) is None
    assert read(backend, run).state is State.SUCCEEDED


@pytest.mark.parametrize("end", ["fail", "postpone", "give_back", "release", "lose", "expire"])
def test_a_run_that_is_to_stop_is_cancelled_however_it_leaves_its_worker(backend: Backend, run: Run, end: str) -> None:
    held = claimed(backend, run)
    lease.request_stop(backend.database, run.id, run.owner_id)
    failure = Failure("Oops", "it broke")
    ends: dict[str, Callable[[], object]] = {
        "fail": lambda: lease.fail(backend.database, held, failure),
        "postpone": lambda: lease.postpone(backend.database, held, failure, 5),
        "give_back": lambda: lease.give_back(backend.database, held),
        "release": lambda: lease.release(backend.database, "worker"),
        "lose": lambda: lease.lose(backend.database, "worker"),
        "expire": lambda: expire(backend),
    }
    assert ends[end]()
    assert (read(backend, run).state, read(backend, run).attempt) == (State.CANCELLED, 1)


def test_a_postponed_run_waits_for_its_time_and_remembers_why(backend: Backend, run: Run) -> None:
    held = claimed(backend, run)
    assert lease.postpone(backend.database, held, Failure("Oops", "it broke"), 30) is not None
    now = read(backend, run)
    assert (now.state, now.attempt, now.failures, now.error_message) == (State.QUEUED, 2, 1, "it broke")
    assert lease.claim(backend.database, run.id, "too early") is None
    due(backend, run, timedelta(seconds=-1))
    assert lease.claim(backend.database, run.id, "in time") is not None


def test_a_run_that_was_to_wait_before_the_clock_was_put_back_does_not_wait_any_longer(
    backend: Backend, run: Run
) -> None:
    due(backend, run, timedelta(minutes=20), queued=timedelta(minutes=19))
    assert lease.claim(backend.database, run.id, "worker") is not None


def test_a_machine_whose_clock_is_a_little_behind_does_not_start_too_early(backend: Backend, run: Run) -> None:
    due(backend, run, timedelta(minutes=20), queued=timedelta(seconds=30))
    assert lease.claim(backend.database, run.id, "worker") is None


def due(backend: Backend, run: Run, after: timedelta, queued: timedelta = timedelta(0)) -> None:
    times = {"due_at": utcnow() + after, "queued_at": utcnow() + queued}
    with backend.database.write() as session:
        session.execute(update(Run).where(Run.id == run.id).values(times))


def test_running_again_forgives_all_failures(backend: Backend, run: Run) -> None:
    lease.postpone(backend.database, claimed(backend, run), Failure("Oops", "it broke"), 0)
    lease.fail(backend.database, claimed(backend, run), Failure("Oops", "it broke again"))
    assert read(backend, run).failures == 2
    lease.requeue(backend.database, run.id, run.owner_id)
    assert (read(backend, run).failures, read(backend, run).attempt) == (0, 3)


def test_a_push_that_failed_is_noted_until_it_succeeds(backend: Backend, run: Run) -> None:
    assert lease.note_push(backend.database, run.id, 1, failed=False) is None
    assert lease.note_push(backend.database, run.id, 1, failed=True) is not None
    assert lease.note_push(backend.database, run.id, 1, failed=True) is None
    assert read(backend, run).push_failed_at is not None
    assert lease.note_push(backend.database, run.id, 1, failed=False) is not None
    assert read(backend, run).push_failed_at is None


def test_cancelling_and_finishing_at_once_has_one_winner(backend: Backend) -> None:
    owner_id = make_owner(backend, "racer@example.com")
    runs = [claimed(backend, make_run(backend, owner_id)) for _ in range(50)]
    with ThreadPoolExecutor(2) as threads:
        stops = threads.map(lambda run: lease.stop(backend.database, run), runs)
        ends = threads.map(lambda run: lease.succeed(backend.database, run, "done"), runs)
        winners = [(stop is not None) + (end is not None) for stop, end in zip(stops, ends, strict=True)]
    assert winners == [1] * 50
