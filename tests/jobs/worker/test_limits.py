"""A limit that frees wakes whoever waits for it, however its run has ended."""

import time
from datetime import timedelta
from pathlib import Path

import pytest

from jobs import Progress, task
from jobs.runs import caps, lease, limits
from jobs.runs.backend import Backend
from jobs.runs.run import Run, State
from jobs.runs.submission import cancel, submit
from jobs.storage.database import utcnow
from jobs.worker import sweeper
from tests.support.people import make_owner, make_run, read
from tests.support.serving import catalog_of, ended, kill_worker_of, serving
from tests.support.waiting import until


@task(concurrency=1, per="customer")
def visit(progress: Progress, customer: int, gate: str) -> None:
    """Hold a customer until the gate is there, and fail if it is named so."""
    while not Path(gate).exists():
        progress(0.5, "working")
        time.sleep(0.01)  # a task has no other way to wait for a file
    if gate.endswith("fail"):
        raise RuntimeError("it broke")


TASKS = catalog_of(visit)


def submitted(backend: Backend, gate: Path, customer: int = 17, owner_id: int = 0) -> Run:
    owner_id = owner_id or make_owner(backend, f"{time.time_ns()}@example.com")
    return submit(backend, TASKS["visit"], owner_id, TASKS["visit"].parameters(customer=customer, gate=str(gate)))


def started(backend: Backend, run: Run) -> bool:
    return read(backend, run).state is State.RUNNING


def test_whoever_waits_for_a_limit_starts_when_it_frees_without_a_sweep(
    backend: Backend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeper, "SWEEP_SECONDS", 3600.0)
    passing, failing, never = tmp_path / "pass", tmp_path / "fail", tmp_path / "never"
    with serving(backend.settings, TASKS, workers=2) as served:
        runs = [submitted(served, gate) for gate in (failing, never, never, passing)]
        until(lambda: started(served, runs[0]), "the first")
        other = submitted(served, never, customer=18)
        until(lambda: started(served, other), "another customer")
        cancel(served, other.owner_id, other.id)
        until(lambda: served.queue.count == 0, "that the jobs of those who wait are used up in vain")
        failing.touch()
        until(lambda: started(served, runs[1]), "the one after a failure")
        cancel(served, runs[1].owner_id, runs[1].id)
        until(lambda: started(served, runs[2]), "the one after a cancelled one")
        kill_worker_of(served, runs[2])
        until(lambda: started(served, runs[3]), "the one after a lost one")
        passing.touch()
        assert ended(served, runs[3]).state is State.SUCCEEDED
        until(lambda: started(served, runs[2]), "the lost one, after a success")
        cancel(served, runs[2].owner_id, runs[2].id)
        ended(served, runs[2])
        assert [read(served, run).state for run in runs[:3]] == [State.FAILED, State.CANCELLED, State.CANCELLED]


def test_whoever_waits_for_a_run_of_their_own_starts_when_it_ends(
    backend: Backend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeper, "SWEEP_SECONDS", 3600.0)
    failing, passing = tmp_path / "fail", tmp_path / "pass"
    owner_id = make_owner(backend)
    caps.set_caps(backend.database, owner_id, {**dict.fromkeys(caps.NAMES), "running_runs": 1})
    with serving(backend.settings, TASKS, workers=2) as served:
        first, second = (submitted(served, gate, number, owner_id) for number, gate in enumerate((failing, passing)))
        until(lambda: started(served, first), "the first")
        until(lambda: served.queue.count == 0, "that the job of the second is used up in vain")
        failing.touch()
        passing.touch()
        assert ended(served, second).state is State.SUCCEEDED
        began, over = read(served, second).started_at, read(served, first).ended_at
        assert began
        assert over
        assert began >= over


def test_the_sweeper_wakes_no_more_workers_than_there_is_room_for(backend: Backend, tmp_path: Path) -> None:
    old = utcnow() - timedelta(minutes=1)
    sweeping = sweeper.Sweeper(backend)
    sweeping.learn({name: one.summary for name, one in TASKS.items()})
    keys = [limits.key_of(TASKS["visit"], 1, {"customer": number}) for number in (1, 1, 1, 2, 2, 3)]
    owner_id = make_owner(backend)
    runs = [make_run(backend, owner_id, "visit", queued_at=old, limit_key=key) for key in keys]
    assert lease.claim(backend.database, runs[3].id, "worker")
    sweeping.sweep()
    assert backend.queue.get_job_ids() == [f"run-{runs[number].id}-1" for number in (0, 5)]
