"""Context types, which the worker provides in addition to the parameters."""

import time
from collections.abc import Iterator

import pytest

from jobs import Cancelled, Checkpoint, Progress, StopRun
from jobs.authoring.context import REPORTS_PER_SECOND
from jobs.values.json_value import ResultError
from jobs.values.outcome import Success
from tests.support.calling import Received, called
from tests.support.waiting import until

Said = list[tuple[float | None, str]]


def listening() -> tuple[Progress, Said]:
    said: Said = []
    return Progress(lambda fraction, note: said.append((fraction, note))), said


def each_after_a_pause(items: range) -> Iterator[int]:
    """Yield items more slowly than progress may be reported."""
    for item in items:
        heard_at = time.monotonic()
        while time.monotonic() < heard_at + 1.1 / REPORTS_PER_SECOND:
            pass
        yield item


def test_tracking_tells_which_item_is_at_hand_and_what_share_is_done() -> None:
    progress, said = listening()
    assert list(progress.track(each_after_a_pause(range(3)), "row", total=3)) == [0, 1, 2]
    assert said == [(0.0, "row 1 of 3"), (1 / 3, "row 2 of 3"), (2 / 3, "row 3 of 3"), (1.0, "row 3 of 3")]


def test_tracking_takes_the_number_of_items_from_their_length() -> None:
    progress, said = listening()
    assert list(progress.track([0] * 2500)) == [0] * 2500
    assert (said[0], said[-1]) == ((0.0, "1 of 2,500"), (1.0, "2,500 of 2,500"))


def test_tracking_items_without_a_length_counts_them() -> None:
    progress, said = listening()
    assert list(progress.track(iter("abc"), "letter")) == ["a", "b", "c"]
    assert (said[0], said[-1]) == ((None, "letter 1"), (None, "letter 3"))


def test_tracking_nothing_says_nothing() -> None:
    progress, said = listening()
    assert list(progress.track([], "row")) == []
    assert said == []


def test_more_items_than_were_announced_are_no_more_than_all() -> None:
    progress, said = listening()
    assert list(progress.track(iter("abc"), total=2)) == ["a", "b", "c"]
    assert said[-1][0] == 1.0


def test_tracking_ends_when_the_run_is_to_stop() -> None:
    seen: list[int] = []
    progress = Progress(stop_requested=lambda: len(seen) >= 2)

    def take_all() -> None:
        for item in progress.track(each_after_a_pause(range(100))):
            seen.append(item)

    with pytest.raises(StopRun):
        take_all()
    assert 2 <= len(seen) < 100


def test_tracking_many_items_tells_seldom() -> None:
    progress, said = listening()
    began = time.monotonic()
    for _item in progress.track(range(1_000_000)):
        pass
    assert len(said) <= 2 + (time.monotonic() - began) * REPORTS_PER_SECOND


@pytest.mark.parametrize("asked", [True, False])
def test_a_task_that_asks_learns_of_its_end_and_keeps_its_result(asked: bool) -> None:
    def count(cancelled: Cancelled) -> str:
        if asked:
            until(cancelled, "the stop")
        return "as far as it went" if cancelled() else "all of it"

    outcome, _heard = called(count, Received(stop=asked))
    assert outcome == Success("as far as it went" if asked else "all of it")


def test_nobody_has_asked_for_the_end_of_a_plain_call() -> None:
    assert Cancelled()() is False


def test_a_checkpoint_that_no_run_could_keep_is_refused_in_a_plain_call_too() -> None:
    checkpoint = Checkpoint()
    checkpoint.save({"done": (4, 5)})
    assert checkpoint.load() == {"done": [4, 5]}, "as the next attempt will have it"
    with pytest.raises(ResultError, match="The checkpoint cannot be stored"):
        checkpoint.save(object())


def test_what_is_done_to_a_checkpoint_after_it_was_loaded_is_not_saved_by_that() -> None:
    checkpoint = Checkpoint({"done": [1]})
    checkpoint.load()["done"].append(2)
    assert checkpoint.load() == {"done": [1]}, "as the next attempt will have it"
