"""The sweeper: heals what was lost between the database, Redis and the workers."""

import threading
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from jobs.runs import checkpoints, lease
from jobs.runs.backend import Backend, open_backend
from jobs.runs.queue import push, take_next, taken
from jobs.runs.run import Run, State
from jobs.storage.database import utcnow
from jobs.values.outcome import Failure
from jobs.worker.sweeper import Sweeper, Watch
from tests.support.people import claimed, make_owner, make_run, read
from tests.support.waiting import until


@pytest.fixture
def owner_id(backend: Backend) -> int:
    return make_owner(backend)


@pytest.fixture
def old(backend: Backend, owner_id: int) -> Run:
    """A run that has been waiting for a while and that Redis does not know."""
    return make_run(backend, owner_id, queued_at=utcnow() - timedelta(minutes=1))


def test_what_was_not_pushed_is_pushed_once(backend: Backend, old: Run) -> None:
    sweeper = Sweeper(backend)
    sweeper.sweep()
    assert backend.queue.get_job_ids() == [f"run-{old.id}-1"]
    sweeper.sweep()
    assert len(backend.queue.get_job_ids()) == 1


def test_a_run_that_was_just_submitted_is_left_to_its_submitter(backend: Backend, owner_id: int) -> None:
    make_run(backend, owner_id)
    Sweeper(backend).sweep()
    assert backend.queue.get_job_ids() == []


def test_a_flushed_queue_is_rebuilt_in_its_order(backend: Backend, owner_id: int) -> None:
    ages = [timedelta(minutes=minutes) for minutes in (1, 3, 2)]
    first, second, third = [make_run(backend, owner_id, queued_at=utcnow() - age) for age in ages]
    Sweeper(backend).sweep()
    assert backend.queue.get_job_ids() == [f"run-{run.id}-1" for run in (second, third, first)]


def test_a_run_whose_job_is_far_behind_in_the_queue_is_not_pushed_again(
    backend: Backend, old: Run, owner_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.worker.sweeper.MOST_PUSHES", 1)
    push(backend.queue, *[(make_run(backend, owner_id).id, 1) for _ in range(5)], (old.id, 1))
    before = backend.queue.get_job_ids()
    Sweeper(backend).sweep()
    assert backend.queue.get_job_ids() == before


def test_a_queue_of_the_wrong_type_is_logged_and_rebuilt_when_it_is_deleted(
    backend: Backend, old: Run, caplog: pytest.LogCaptureFixture
) -> None:
    backend.redis.set(backend.queue.key, "no list")
    sweeper = Sweeper(backend)
    sweeper.sweep()
    assert f"could not read the key {backend.queue.key} in Redis (WRONGTYPE" in caplog.text
    backend.redis.delete(backend.queue.key)
    sweeper.sweep()
    assert backend.queue.get_job_ids() == [f"run-{old.id}-1"]


def test_a_job_whose_end_redis_was_not_told_of_is_forgotten_and_one_at_work_is_not(
    backend: Backend, owner_id: int
) -> None:
    ended, at_work = (make_run(backend, owner_id) for _ in range(2))
    push(backend.queue, (ended.id, 1), (at_work.id, 1))
    for run in (ended, at_work):
        take_next(backend.queue, backend.redis)
        claimed(backend, run)
    assert lease.succeed(backend.database, read(backend, ended), "done")
    Sweeper(backend).sweep()
    assert taken(backend.queue) == {f"run-{at_work.id}-1": at_work.id}
    assert backend.redis.keys("rq:job:*") == [f"rq:job:run-{at_work.id}-1".encode()]


def test_without_redis_the_runs_wait_and_say_so(backend: Backend, old: Run, tmp_path: Path) -> None:
    settings = backend.settings.model_copy(update={"redis_url": f"unix://{tmp_path}/nobody.sock"})
    away = Sweeper(open_backend(settings, backend.catalog))
    away.sweep()
    away.leave()
    assert read(backend, old).state is State.QUEUED
    Sweeper(backend).sweep()
    assert backend.queue.get_job_ids() == [f"run-{old.id}-1"]


def test_a_note_that_redis_was_away_goes_with_the_push(backend: Backend, old: Run) -> None:
    lease.note_push(backend.database, old.id, 1, failed=True)
    Sweeper(backend).sweep()
    assert read(backend, old).push_failed_at is None


def test_only_the_leader_sweeps(backend: Backend, old: Run) -> None:
    leader, other = Sweeper(backend), Sweeper(backend)
    leader.sweep()
    backend.redis.flushdb()
    other.sweep()
    assert backend.queue.get_job_ids() == []
    leader.leave()
    other.sweep()
    assert backend.queue.get_job_ids() == [f"run-{old.id}-1"]


def test_a_run_that_waits_for_its_time_is_pushed_then_and_not_before(backend: Backend, old: Run) -> None:
    sweeper = Sweeper(backend)
    lease.postpone(backend.database, claimed(backend, old), Failure("Oops", "it broke"), 60)
    sweeper.turn()
    sweeper.turn()
    assert backend.queue.get_job_ids() == []
    with backend.database.write() as session:
        session.execute(update(Run).values(due_at=utcnow()))
    sweeper.turn()
    assert backend.queue.get_job_ids() == [f"run-{old.id}-2"]


def test_a_lease_that_is_not_renewed_for_its_whole_length_is_lost(backend: Backend, old: Run) -> None:
    watch = Watch(lease_seconds=0.2)
    held = claimed(backend, old)
    assert watch.unrenewed(lease.leases(backend.database)) == {}
    threading.Event().wait(0.25)  # longer than the lease, which nobody asks about meanwhile
    lease.renew(backend.database, held)
    assert watch.unrenewed(lease.leases(backend.database)) == {}, "it was renewed in time"
    until(lambda: list(watch.unrenewed(lease.leases(backend.database))) == [old.id], "the loss")


@pytest.mark.parametrize("jump", [timedelta(hours=1), timedelta(hours=-1)])
def test_a_clock_that_jumps_loses_no_lease_and_keeps_none(backend: Backend, old: Run, jump: timedelta) -> None:
    watch = Watch(lease_seconds=0.2)
    claimed(backend, old)
    with backend.database.write() as session:
        session.execute(update(Run).values(lease_expires_at=utcnow() + jump))
    assert watch.unrenewed(lease.leases(backend.database)) == {}
    until(lambda: list(watch.unrenewed(lease.leases(backend.database))) == [old.id], "the loss")


def test_a_lost_run_waits_again_and_a_worker_is_woken(backend: Backend, old: Run) -> None:
    claimed(backend, old)
    settings = backend.settings.model_copy(update={"lease_seconds": 0})
    sweeper = Sweeper(open_backend(settings, backend.catalog))
    sweeper.sweep()
    assert (read(backend, old).state, read(backend, old).losses) == (State.QUEUED, 1)
    assert backend.queue.get_job_ids() == [f"run-{old.id}-2"]


def test_checkpoints_go_when_their_run_has_succeeded(backend: Backend, old: Run) -> None:
    held = claimed(backend, old)
    checkpoints.save(backend.database, held, {"step": 3})
    sweeper = Sweeper(backend)
    sweeper.sweep()
    assert checkpoints.load(backend.database, old.id) == {"step": 3}
    lease.succeed(backend.database, held, "done")
    sweeper.sweep()
    assert checkpoints.load(backend.database, old.id) is None


def test_the_sweeper_comes_by_every_checkpoint(
    backend: Backend, owner_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "MOST_CHECKPOINTS", 2)
    held = [claimed(backend, make_run(backend, owner_id)) for _ in range(5)]
    for run in held:
        checkpoints.save(backend.database, run, 1)
        if run is not held[0]:
            lease.succeed(backend.database, run, "done")
    sweeper = Sweeper(backend)
    for _page in range(3):
        sweeper.sweep()
    assert [checkpoints.load(backend.database, run.id) for run in held] == [1, None, None, None, None]


def test_a_checkpoint_of_a_lost_run_is_not_kept(backend: Backend, old: Run) -> None:
    held = claimed(backend, old)
    lease.lose(backend.database, "worker")
    assert not checkpoints.save(backend.database, held, {"step": 3})
    assert checkpoints.load(backend.database, old.id) is None
