"""Pauses: what is paused does not start, everything else does, and a run says what it waits for."""

from datetime import timedelta

import pytest

from jobs.runs import audit, heartbeats, lease, pauses
from jobs.runs.backend import Backend
from jobs.runs.deletion import delete_person
from jobs.runs.pauses import Kind
from jobs.runs.wait_estimate import wait_estimates
from jobs.storage.database import utcnow
from jobs.worker import attempt
from jobs.worker.sweeper import WAITS_FOR_SECONDS, Sweeper
from tests.support.people import make_owner, make_run

BEFORE = utcnow() - timedelta(seconds=2 * WAITS_FOR_SECONDS)


@pytest.fixture
def owner_id(backend: Backend) -> int:
    return make_owner(backend)


@pytest.mark.parametrize("kind", Kind)
def test_what_is_paused_does_not_start_until_it_is_resumed(backend: Backend, owner_id: int, kind: Kind) -> None:
    database, other = backend.database, make_owner(backend, "other@example.com")
    name = {Kind.EVERYTHING: "", Kind.TASK: "factorise", Kind.USER: str(owner_id), Kind.WORKER: "old"}[kind]
    heartbeats.seen(database, "old")
    pauses.pause(database, kind, name, "it leaks", "boss@example.com")
    pauses.pause(database, kind, name, "it leaks, still", "boss@example.com")
    paused = make_run(backend, owner_id, "factorise")
    assert lease.claim(database, paused.id, "old") is None
    unlike = make_run(backend, other, "reverse_text")
    assert (lease.claim(database, unlike.id, "new") is None) == (kind is Kind.EVERYTHING)
    assert pauses.resume(database, kind, name)
    assert not pauses.resume(database, kind, name)
    assert lease.claim(database, paused.id, "old")
    verbs = [entry.verb for entry in audit.listed(database)]
    assert verbs == (
        ["worker resumed"] + 2 * ["worker drained"] if kind is Kind.WORKER else ["resumed", *2 * ["paused"]]
    )


def test_a_paused_run_is_not_the_next_one_of_a_worker_either(backend: Backend, owner_id: int) -> None:
    first, _second = make_run(backend, owner_id), make_run(backend, owner_id, "factorise")
    held = lease.claim(backend.database, first.id, "worker")
    assert held
    pauses.pause(backend.database, Kind.TASK, "factorise", "", "boss@example.com")
    claim = lease.Claim("worker", backend.tasks, backend.durations)
    change, following = lease.succeed_and_claim(backend.database, held, "done", claim)
    assert change
    assert following is None


def test_the_sweeper_wakes_nobody_for_what_is_paused_and_somebody_after_it_is_resumed(
    backend: Backend, owner_id: int
) -> None:
    held = make_run(backend, owner_id, "factorise", queued_at=BEFORE)
    free = make_run(backend, owner_id, queued_at=BEFORE)
    pauses.pause(backend.database, Kind.TASK, "factorise", "", "boss@example.com")
    sweeper = Sweeper(backend)
    sweeper.sweep()
    assert backend.queue.get_job_ids() == [f"run-{free.id}-1"]
    pauses.resume(backend.database, Kind.TASK, "factorise")
    sweeper.sweep()
    assert f"run-{held.id}-1" in backend.queue.get_job_ids()
    taken = [attempt.take(backend, "worker") for _ in range(2)]
    assert {run.id for run in taken if run} == {held.id, free.id}


def test_a_run_says_what_it_waits_for_and_others_do_not_wait_for_it(backend: Backend, owner_id: int) -> None:
    heartbeats.seen(backend.database, "worker")
    later = utcnow() + timedelta(hours=1)
    held = [make_run(backend, owner_id, "factorise"), make_run(backend, owner_id, "factorise", due_at=later)]
    free = make_run(backend, owner_id)
    pauses.pause(backend.database, Kind.USER, str(owner_id), "mine", "boss@example.com")
    pauses.pause(backend.database, Kind.TASK, "factorise", "it leaks", "boss@example.com")
    found = wait_estimates(backend.database, [*held, free])
    said = [found[run.id].pause for run in (*held, free)]
    assert [pause and pause.reason for pause in said] == ["it leaks", "it leaks", "mine"]
    pauses.resume(backend.database, Kind.USER, str(owner_id))
    found = wait_estimates(backend.database, [*held, free])
    assert (found[free.id].pause, found[free.id].ahead) == (None, 0)


def test_what_is_gone_is_not_paused_for_ever(backend: Backend, owner_id: int) -> None:
    heartbeats.seen(backend.database, "worker")
    pauses.pause(backend.database, Kind.WORKER, "worker", "", "boss@example.com")
    pauses.pause(backend.database, Kind.USER, str(owner_id), "", "boss@example.com")
    heartbeats.gone(backend.database, "worker")
    delete_person(backend, owner_id)
    with backend.database.read() as session:
        assert pauses.listed(session) == []
