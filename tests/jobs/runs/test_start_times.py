"""Estimated starts, compared with those of simulated workers that the estimates know nothing of."""

import heapq
from random import Random

import pytest

from jobs.runs.start_times import Interval, Work, start_times

RUNS = 1000


def test_at_least_four_of_five_runs_start_within_their_interval() -> None:
    """Queues of all lengths, workers of all numbers, and durations that spread as those of real tasks do."""
    random, inside = Random(7), 0
    for _run in range(RUNS):
        spreads = {task: random.choice((0.05, 0.3, 0.8, 1.2)) for task in ("one", "two", "three")}
        centres = {task: random.uniform(-1, 4) for task in spreads}

        def draw(task: str) -> float:
            return random.lognormvariate(centres[task], spreads[task])  # noqa: B023  # called in this round only

        past = {task: [draw(task) for _each in range(random.choice((3, 8, 20)))] for task in spreads}
        workers = random.randint(1, 4)
        order = [Work(number, random.choice(list(past))) for number in range(random.choice((1, 2, 4, 9, 25)))]
        running, free = list[Work](), list[float]()
        for number in range(workers):
            task = random.choice(list(past))
            took, at = draw(task), random.random()
            running.append(Work(-number - 1, task, at * took))
            heapq.heappush(free, (1 - at) * took)
        for work in order[:-1]:
            heapq.heapreplace(free, free[0] + draw(work.kind))
        last = order[-1].run_id
        expected = start_times(order, running, workers, past, [last])[last]
        inside += expected.least <= free[0] <= expected.most
    assert inside / RUNS >= 0.8


def test_the_same_question_has_the_same_answer_however_many_runs_are_asked_about() -> None:
    past = {"one": [1.0, 5.0, 9.0]}
    order = [Work(number, "one") for number in range(50)]
    all_starts = start_times(order, [], 2, past, range(50))
    assert all_starts == start_times(order, [], 2, past, range(50))
    assert all_starts[0] == all_starts[1] == Interval(0, 0)
    leasts = [all_starts[number].least for number in range(50)]
    assert leasts == sorted(leasts)


@pytest.mark.parametrize("workers", [0, 1])
def test_what_cannot_be_known_is_not_said(workers: int) -> None:
    past = {"one": [1.0], "new": list[float]()}
    order = [Work(1, "one"), Work(2, "new"), Work(3, "one")]
    assert set(start_times(order, [], workers, past, [1, 2, 3])) == ({1, 2} if workers else set())
    assert start_times(order, [Work(9, "new", 1.0)], workers, past, [1]) == {}, "nobody knows when it ends"


def test_a_run_that_takes_longer_than_all_before_is_expected_to_go_on_for_a_while() -> None:
    found = start_times([Work(1, "one")], [Work(9, "one", 100.0)], 1, {"one": [1.0, 2.0]}, [1])[1]
    assert 0 <= found.least < found.most <= 200
