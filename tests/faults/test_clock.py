"""Clocks jump while runs run and wait: none is lost, and none is executed twice because of it."""

import threading
from pathlib import Path

import pytest

from jobs.runs.run import Run, State
from tests.faults.audit import claims
from tests.faults.harness import Harness
from tests.faults.scale import scale

HOUR = 3600
JUMPS = scale([0, HOUR, 0, -HOUR, 0, 2 * HOUR, -2 * HOUR, 600, -600, 0], [HOUR, -HOUR])


@pytest.fixture
def clock(tmp_path: Path) -> Path:
    """A file with the seconds by which the clock of a machine is ahead."""
    file = tmp_path / "clock"
    file.write_text("0")
    return file


def put(clock: Path, seconds: float) -> None:
    clock.with_suffix(".new").write_text(str(seconds))
    clock.with_suffix(".new").rename(clock)


def executed_once(harness: Harness, run: Run) -> bool:
    facts = (run.state, run.attempt, run.losses, harness.times(run), claims(harness.backend.database)[run.id])
    return facts == (State.SUCCEEDED, 1, 0, (1, 1), 1)


@pytest.mark.parametrize("one", [False, True], ids=["every machine", "one of two machines"])
def test_a_clock_that_jumps_costs_no_run(harness: Harness, clock: Path, tmp_path: Path, one: bool) -> None:
    steady = tmp_path / "steady"
    steady.write_text("0")
    harness.open_pool(1, CLOCK=clock)
    harness.open_pool(1, CLOCK=steady if one else clock)
    for turn, jump in enumerate(JUMPS):
        go = tmp_path / f"go-{turn}"
        running = [harness.submit("wait_for", file=str(go)) for _ in range(2)]
        harness.await_start(*running)
        harness.submit_many(5)
        put(clock, jump)
        threading.Event().wait(harness.backend.settings.lease_seconds * 1.5)
        go.touch()
        harness.settle()
    assert [run.id for run in harness.check() if not executed_once(harness, run)] == []


@pytest.mark.parametrize("jump", [HOUR, -HOUR, -HOUR // 2])
def test_a_run_that_waits_for_its_next_attempt_is_not_forgotten(harness: Harness, clock: Path, jump: int) -> None:
    harness.open_pool(1, CLOCK=clock)
    run = harness.submit("fail_once")
    harness.await_postponed(run)
    put(clock, jump)
    done = harness.await_end(run)
    harness.check()
    assert (done.state, done.attempt, done.failures, harness.noted(run)) == (State.SUCCEEDED, 2, 1, 2)
