"""Predicted starts, and how many of them come true."""

from datetime import timedelta

import pytest

from jobs.runs import heartbeats, lease, predictions
from jobs.runs.backend import Backend
from jobs.runs.deletion import delete_run
from jobs.runs.run import State
from jobs.storage.database import utcnow
from jobs.worker.sweeper import Sweeper
from tests.support.people import make_owner, make_run


def rate(backend: Backend) -> tuple[int, int]:
    with backend.database.read() as session:
        return predictions.hit_rate(session)


def test_the_starts_of_runs_that_waited_are_compared(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    owner_id = make_owner(backend)
    heartbeats.seen(backend.database, "worker", backend.tasks)
    begun = utcnow() - timedelta(seconds=1)
    make_run(backend, owner_id, state=State.SUCCEEDED, started_at=begun, ended_at=utcnow())
    runs = [make_run(backend, owner_id) for _each in range(4)]
    assert rate(backend) == (0, 0)
    for _sweep in range(2):
        Sweeper(backend).sweep()
    assert rate(backend) == (0, 0), "none of them has started"
    lease.claim(backend.database, runs[3].id, "worker")
    assert rate(backend) == (1, 0), "it was expected to wait for three others"
    lease.claim(backend.database, runs[0].id, "worker")
    assert rate(backend) == (1, 0), "the first one did not have to wait"
    with monkeypatch.context() as patch:
        patch.setattr("jobs.runs.lease.utcnow", lambda: utcnow() + timedelta(seconds=1.2))
        lease.claim(backend.database, runs[1].id, "worker")
    assert rate(backend) == (2, 1)
    cancelled = lease.cancel(backend.database, runs[2].id, owner_id)
    assert cancelled
    delete_run(backend, owner_id, runs[2].id)
    assert rate(backend) == (2, 1)


def test_few_predictions_are_made_at_once_and_kept(backend: Backend) -> None:
    owner_id = make_owner(backend)
    heartbeats.seen(backend.database, "worker", backend.tasks)
    begun = utcnow() - timedelta(seconds=9)
    make_run(backend, owner_id, state=State.SUCCEEDED, started_at=begun, ended_at=utcnow())
    for _each in range(30):
        make_run(backend, owner_id)
    predictions.note(backend.database)
    predictions.note(backend.database)
    with backend.database.read() as session:
        assert session.query(predictions.Prediction).count() == predictions.AT_ONCE
