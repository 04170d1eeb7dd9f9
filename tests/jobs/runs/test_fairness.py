"""Shares of the workers' time, by simulations with the real database and a clock of their own."""

import pytest

from jobs.runs.backend import Backend
from tests.support.people import make_owner, weigh
from tests.support.simulated_workers import Simulation

TEN_MINUTES = 600.0


@pytest.fixture
def owners(backend: Backend) -> list[int]:
    return [make_owner(backend, f"{name}@example.com") for name in ("ada", "ben")]


@pytest.mark.parametrize("weight", [1, 2])
def test_worker_seconds_are_shared_by_weight_however_long_the_runs_are(
    backend: Backend, owners: list[int], weight: float
) -> None:
    """Runs of 30 s against runs of 1 s, both always waiting, on two workers."""
    heavy, light = owners
    weigh(backend, light, weight)
    simulation = Simulation(backend, 2, {heavy: 30.0, light: 1.0})
    simulation.submit(heavy, 50)
    simulation.submit(light, 1000)
    simulation.go_on_until(TEN_MINUTES)
    share = simulation.served[light] / sum(simulation.served.values())
    assert share == pytest.approx(weight / (1 + weight), abs=0.05)
    assert sum(simulation.served.values()) >= 2 * TEN_MINUTES, "no worker idles while runs wait"


def test_one_who_seldom_comes_waits_no_longer_than_for_a_worker(backend: Backend, owners: list[int]) -> None:
    """Hundreds of runs of 1 s by one owner, and a run every 5 s by another, on four workers."""
    flood, seldom = owners
    simulation = Simulation(backend, 4, {flood: 1.0, seldom: 1.0})
    simulation.submit(flood, 400)
    for five_seconds in range(1, 10):
        simulation.go_on_until(5.0 * five_seconds + 0.5)
        simulation.submit(seldom)
    simulation.go_on_until(60.0)
    assert max(simulation.waits[seldom]) <= 1.0
    assert simulation.served[flood] == 4 * 60 - 9 + simulation.workers, "all other time is the flood's"


def test_an_idle_night_saves_nothing_up(backend: Backend, owners: list[int]) -> None:
    busy, rested = owners
    simulation = Simulation(backend, 1, {busy: 10.0, rested: 10.0})
    simulation.submit(rested)
    simulation.submit(busy, 60)
    simulation.go_on_until(300.0)
    simulation.submit(rested, 30)
    served = simulation.served[busy]
    simulation.go_on_until(500.0)
    assert abs(simulation.served[busy] - served - 100.0) <= 10.0, "no more than one run of credit"
