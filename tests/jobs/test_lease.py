"""Leases: a run is claimed by one worker, and one completion commits."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import update

from jobs import Backend, Run, State, lease, utcnow
from jobs.lease import Change
from jobs.outcome import Failure
from tests.people import make_owner, make_run, read


@pytest.fixture
def run(backend: Backend) -> Run:
    return make_run(backend, make_owner(backend))


def lapse(backend: Backend) -> None:
    """Let every lease run out."""
    with backend.database.write() as session:
        session.execute(update(Run).values(lease_expires_at=utcnow() - timedelta(seconds=1)))


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
    lapse(backend)
    assert lease.expire(backend.database, most_losses=3) == [Change(run.id, run.owner_id, 3)]
    second = lease.claim(backend.database, run.id, "fresh")
    assert second is not None
    assert lease.succeed(backend.database, first, "late") is None
    assert lease.report(backend.database, first, 0.5, "late") is None
    assert lease.succeed(backend.database, second, "right") is not None
    assert (read(backend, run).result, read(backend, run).attempt) == ("right", 2)


def test_a_renewed_lease_does_not_run_out(backend: Backend, run: Run) -> None:
    held = lease.claim(backend.database, run.id, "worker")
    assert held is not None
    lapse(backend)
    lease.renew(backend.database, held)
    assert lease.expire(backend.database, most_losses=3) == []


def test_a_run_whose_worker_is_lost_again_and_again_fails(backend: Backend, run: Run) -> None:
    for _attempt in range(3):
        assert lease.claim(backend.database, run.id, "unlucky") is not None
        lapse(backend)
        lease.expire(backend.database, most_losses=3)
    now = read(backend, run)
    assert (now.state, now.error_kind, now.attempt) == (State.FAILED, "WorkerLost", 3)


def test_a_lease_that_went_to_another_is_not_renewed_by_its_former_holder(backend: Backend, run: Run) -> None:
    first = lease.claim(backend.database, run.id, "worker")
    assert first is not None
    lapse(backend)
    lease.expire(backend.database, most_losses=3)
    second = lease.claim(backend.database, run.id, "worker")
    assert second is not None
    lapse(backend)
    lease.renew(backend.database, first)
    assert len(lease.expire(backend.database, most_losses=3)) == 1


def test_running_again_does_not_count_as_losing_the_worker(backend: Backend, run: Run) -> None:
    for _attempt in range(4):
        lease.cancel(backend.database, run.id, run.owner_id)
        lease.requeue(backend.database, run.id, run.owner_id)
    lease.claim(backend.database, run.id, "worker")
    lapse(backend)
    lease.expire(backend.database, most_losses=2)
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
