"""Shared state: a stop reaches the other side, and the latest progress is what is read."""

import os
from collections.abc import Iterator

import pytest

from jobs.worker.shared_state import LONGEST_TEXT, ProgressReport, SharedState, shared_file
from tests.support.waiting import until


class Sides:
    """The page as the task and as its worker have it."""

    def __init__(self) -> None:
        file = shared_file()
        self.task, self.worker = SharedState(file), SharedState(file)
        os.close(file)


@pytest.fixture
def sides() -> Iterator[Sides]:
    both = Sides()
    yield both
    both.task.close()
    both.worker.close()


def test_a_stop_is_seen_until_it_is_reset(sides: Sides) -> None:
    assert not sides.task.stop_requested()
    sides.worker.request_stop()
    assert sides.task.stop_requested()
    sides.worker.reset()
    assert not sides.task.stop_requested()


def test_the_start_is_seen_until_it_is_reset(sides: Sides) -> None:
    assert not sides.worker.started
    sides.task.start()
    assert sides.worker.started
    sides.worker.reset()
    assert not sides.worker.started


def test_the_latest_progress_is_read(sides: Sides) -> None:
    for step in range(10):
        sides.task.write_progress(step / 10, f"step {step}")
    assert sides.worker.read_progress() == ProgressReport(0.9, "step 9")
    sides.task.write_progress(None, "é of an unknown number")
    assert sides.worker.read_progress() == ProgressReport(None, "é of an unknown number")
    sides.task.write_progress(0.0, "")
    assert sides.worker.read_progress() == ProgressReport(0.0, "")


@pytest.mark.parametrize("character", ["x", "é", "\U0001f600"])
def test_a_note_that_is_too_long_is_cut_between_characters(sides: Sides, character: str) -> None:
    sides.task.write_progress(0.5, character * 5000)
    progress = sides.worker.read_progress()
    assert progress is not None
    assert progress.note == character * (LONGEST_TEXT // len(character.encode()))


def test_the_worker_is_to_be_told_just_when_it_has_read_since(sides: Sides) -> None:
    assert [sides.task.write_progress(0.1, "") for _ in range(3)] == [True, False, False]
    sides.worker.read_progress()
    assert [sides.task.write_progress(0.2, "") for _ in range(3)] == [True, False, False]
    for _ in range(300):  # the count of reads goes round
        sides.worker.read_progress()
    assert [sides.task.write_progress(0.3, "") for _ in range(3)] == [True, False, False]


def test_what_is_read_while_it_is_written_is_whole(sides: Sides) -> None:
    words = [character * 3000 for character in "abc"]
    writer = os.fork()
    if not writer:
        try:
            number = 0
            while not sides.task.stop_requested():
                number = (number + 1) % 3
                sides.task.write_progress(number / 4, words[number])
        finally:
            os._exit(0)
    until(lambda: sides.worker.read_progress() not in (None, (0.0, "")), "the first progress")
    read = [progress for _ in range(5000) if (progress := sides.worker.read_progress())]
    sides.worker.request_stop()
    os.waitpid(writer, 0)
    assert set(read) <= {ProgressReport(number / 4, words[number]) for number in range(3)}
    assert read
