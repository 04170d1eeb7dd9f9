"""Runs that start later: durable, counted, cancelled, and due within a turn of the sweeper."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import update

from jobs.runs.asked import LONGEST_DAYS, Asked, OtherOption, TooFar
from jobs.runs.backend import Backend
from jobs.runs.caps import TooManyRuns
from jobs.runs.run import Run, State
from jobs.runs.submission import cancel, retry, submit_once
from jobs.storage.database import utcnow
from jobs.worker import attempt
from jobs.worker.sweeper import Sweeper
from tests.support.people import make_owner, read


@pytest.fixture
def owner_id(backend: Backend) -> int:
    return make_owner(backend)


def order(backend: Backend, owner_id: int, due_at: datetime | None, key: str | None = None) -> Run:
    task = backend.catalog["reverse_text"]
    parameters = task.parameters.model_validate({"text": "abc"})
    return submit_once(backend, task, owner_id, parameters, Asked(key, due_at=due_at)).run


def taken(backend: Backend) -> int | None:
    """Return the id of the run that a worker takes now."""
    run = attempt.take(backend, "worker")
    return run.id if run else None


def come(backend: Backend, run: Run) -> None:
    """Move the time of a scheduled run into the past."""
    past = utcnow() - timedelta(seconds=1)
    with backend.database.write() as session:
        session.execute(update(Run).where(Run.id == run.id).values(due_at=past, scheduled_for=past))


def test_a_scheduled_run_waits_for_its_time_and_then_starts(backend: Backend, owner_id: int) -> None:
    later = utcnow() + timedelta(hours=1)
    run, now = order(backend, owner_id, later), order(backend, owner_id, None)
    assert (read(backend, run).is_scheduled, read(backend, run).due_at) == (True, later)
    sweeper = Sweeper(backend)
    sweeper.sweep()
    assert taken(backend) == now.id
    assert taken(backend) is None
    assert backend.queue.job_ids == [f"run-{now.id}-1"]
    come(backend, run)
    sweeper.turn()
    assert f"run-{run.id}-1" in backend.queue.job_ids
    assert taken(backend) == run.id
    assert read(backend, run).scheduled_for, "its page still says so"


def test_a_clock_that_is_set_back_starts_no_scheduled_run(backend: Backend, owner_id: int) -> None:
    run = order(backend, owner_id, utcnow() + timedelta(hours=2))
    with backend.database.write() as session:
        session.execute(update(Run).where(Run.id == run.id).values(queued_at=utcnow() + timedelta(hours=1)))
    Sweeper(backend).sweep()
    assert read(backend, run).is_scheduled


def test_a_time_that_has_passed_means_now_and_one_beyond_a_year_is_refused(backend: Backend, owner_id: int) -> None:
    past = utcnow() - timedelta(days=1)
    run = read(backend, order(backend, owner_id, past))
    assert (run.due_at, run.scheduled_for, run.is_scheduled) == (None, past, False)
    assert taken(backend) == run.id
    with pytest.raises(TooFar):
        order(backend, owner_id, utcnow() + timedelta(days=LONGEST_DAYS, seconds=5))


def test_a_scheduled_run_is_cancelled_and_run_again_at_once(backend: Backend, owner_id: int) -> None:
    run = order(backend, owner_id, utcnow() + timedelta(days=1))
    cancel(backend, owner_id, run.id)
    assert read(backend, run).state is State.CANCELLED
    retry(backend, owner_id, read(backend, run))
    assert taken(backend) == run.id


def test_a_scheduled_run_counts_as_one_that_waits(backend: Backend, owner_id: int) -> None:
    few = backend.settings.model_copy(update={"user_queued_runs": 1})
    limited = replace(backend, settings=few)
    order(limited, owner_id, utcnow() + timedelta(days=1))
    with pytest.raises(TooManyRuns):
        order(limited, owner_id, utcnow() + timedelta(days=2))


def test_a_key_covers_the_time(backend: Backend, owner_id: int) -> None:
    later = utcnow() + timedelta(seconds=60)
    run = order(backend, owner_id, later, "key")
    come_at = read(backend, run).scheduled_for
    assert order(backend, owner_id, come_at, "key").id == run.id
    for other in (None, later + timedelta(seconds=1)):
        with pytest.raises(OtherOption, match="due_at or after"):
            order(backend, owner_id, other, "key")
    come(backend, run)
    Sweeper(backend).sweep()
    assert order(backend, owner_id, read(backend, run).scheduled_for, "key").id == run.id
