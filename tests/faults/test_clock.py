"""Clocks jump while runs run and wait: none is lost, and none is executed twice because of it."""

import threading
from pathlib import Path

import pytest

from jobs.runs.run import Run, State
from tests.faults.audit import claims
from tests.faults.kitchen import Kitchen
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


def executed_once(kitchen: Kitchen, run: Run) -> bool:
    facts = (run.state, run.attempt, run.losses, kitchen.times(run), claims(kitchen.backend.database)[run.id])
    return facts == (State.SUCCEEDED, 1, 0, (1, 1), 1)


@pytest.mark.parametrize("one", [False, True], ids=["every machine", "one of two machines"])
def test_a_clock_that_jumps_costs_no_run(kitchen: Kitchen, clock: Path, tmp_path: Path, one: bool) -> None:
    steady = tmp_path / "steady"
    steady.write_text("0")
    kitchen.open_pool(1, CLOCK=clock)
    kitchen.open_pool(1, CLOCK=steady if one else clock)
    for turn, jump in enumerate(JUMPS):
        go = tmp_path / f"go-{turn}"
        running = [kitchen.submit("wait_for", file=str(go)) for _ in range(2)]
        kitchen.await_start(*running)
        kitchen.submit_many(5)
        put(clock, jump)
        threading.Event().wait(kitchen.backend.settings.lease_seconds * 1.5)
        go.touch()
        kitchen.settle()
    assert [run.id for run in kitchen.check() if not executed_once(kitchen, run)] == []


@pytest.mark.parametrize("jump", [HOUR, -HOUR, -HOUR // 2])
def test_a_run_that_waits_for_its_next_attempt_is_not_forgotten(kitchen: Kitchen, clock: Path, jump: int) -> None:
    kitchen.open_pool(1, CLOCK=clock)
    run = kitchen.submit("fail_once")
    kitchen.await_postponed(run)
    put(clock, jump)
    done = kitchen.await_end(run)
    kitchen.check()
    assert (done.state, done.attempt, done.failures, kitchen.noted(run)) == (State.SUCCEEDED, 2, 1, 2)
