"""Tasks that yield, and tasks that are awaited."""

import functools
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from jobs import Cancelled, Emit
from jobs.values.json_value import ResultError
from jobs.values.outcome import Failure, Outcome, Stopped, Success
from tests.support.calling import Received, called
from tests.support.waiting import until


def decorated(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*given: Any, **named: Any) -> Any:
        return function(*given, **named)

    return wrapper


def generate() -> Generator[int, None, str]:
    yield 1
    yield 2
    return "done"


def hand_over() -> Generator[int, None, str]:
    return generate()


def yield_from() -> Generator[int, None, str]:
    return (yield from generate())


async def generate_slowly() -> AsyncIterator[int]:
    yield 1
    yield 2


async def compute() -> str:
    return "done"


async def compute_a_generator() -> Generator[int, None, str]:
    return generate()


@pytest.mark.parametrize(
    ("function", "values", "result"),
    [
        (generate, [1, 2], "done"),
        (decorated(generate), [1, 2], "done"),
        (hand_over, [1, 2], "done"),
        (decorated(hand_over), [1, 2], "done"),
        (yield_from, [1, 2], "done"),
        (compute, [], "done"),
        (decorated(compute), [], "done"),
        (generate_slowly, [1, 2], None),
        (decorated(generate_slowly), [1, 2], None),
        (compute_a_generator, [1, 2], "done"),
    ],
)
def test_what_a_function_yields_is_emitted_and_what_it_returns_is_its_result(
    function: Callable[..., Any], values: list[int], result: Any
) -> None:
    outcome, heard = called(function)
    assert (outcome, heard.values) == (Success(result), values)


def endless(tidied: Path) -> Iterator[int]:
    try:
        number = 0
        while True:
            yield (number := number + 1)
    finally:
        tidied.touch()


async def endless_slowly(tidied: Path) -> AsyncIterator[int]:
    try:
        number = 0
        while True:
            yield (number := number + 1)
    finally:
        tidied.touch()


class StopAfterThree(Received):
    """Asks for the end when something was emitted."""

    def stop_requested(self) -> bool:
        return len(self.values) >= 3


@pytest.mark.parametrize("kind", ["itself", "returned", "asynchronous"])
def test_a_generator_tidies_up_when_its_run_is_stopped(tmp_path: Path, kind: str) -> None:
    tidied = tmp_path / "tidied"

    def itself() -> Iterator[int]:
        yield from endless(tidied)

    def returned() -> Iterator[int]:
        return endless(tidied)

    def asynchronous() -> AsyncIterator[int]:
        return endless_slowly(tidied)

    functions: dict[str, Callable[..., Any]] = {
        "itself": itself,
        "returned": returned,
        "asynchronous": asynchronous,
    }
    outcome, heard = called(functions[kind], StopAfterThree())
    assert (outcome, tidied.exists()) == (Stopped(), True)
    assert heard.values == list(range(1, len(heard.values) + 1))


@pytest.mark.parametrize("how", ["yields", "raises"])
def test_a_generator_that_fails_keeps_what_it_has_yielded(how: str) -> None:
    def work() -> Iterator[Any]:
        yield 1
        if how == "raises":
            raise RuntimeError("why")
        yield object()

    outcome, heard = called(work)
    assert isinstance(outcome, Failure)
    assert (outcome.kind, heard.values) == ("RuntimeError" if how == "raises" else "ResultError", [1])


def test_a_coroutine_that_fails_is_a_failure_like_another() -> None:
    async def fail() -> None:
        raise RuntimeError("why")

    outcome, _ = called(fail)
    assert isinstance(outcome, Failure)
    assert (outcome.kind, outcome.message) == ("RuntimeError", "why")


# --- what is emitted


def test_partial_results_are_kept_as_json_and_one_that_cannot_be_is_named() -> None:
    def work(emit: Emit) -> str:
        emit({"step": 1, "point": (1, 2)})
        emit(None)
        try:
            emit(object())
        except ResultError as error:
            return str(error)
        return "kept"

    outcome, heard = called(work)
    assert isinstance(outcome, Success)
    assert outcome.result.startswith("The partial result cannot be stored as JSON")
    assert heard.values == [{"step": 1, "point": [1, 2]}, None]


def test_what_is_changed_in_partial_results_is_said_once_in_the_log() -> None:
    def work(emit: Emit) -> None:
        for step in range(100):
            emit({"step": step, "bad": len})
        emit([b"\xff"])

    outcome, heard = called(work)
    assert outcome == Success(None)
    assert heard.values == [*({"step": step, "bad": None} for step in range(100)), ["ff"]]
    assert [(level, line.partition(" It ")[0]) for level, line in heard.lines] == [
        ("warning", "The partial result was changed. bad: left out."),
        ("warning", "The partial result was changed. [0]: bytes that are not text are shown in hexadecimal."),
    ]


@pytest.mark.parametrize("takes_notice", [True, False])
def test_a_stop_is_raised_where_a_task_emits(takes_notice: bool) -> None:
    def work(cancelled: Cancelled, emit: Emit) -> str:
        until(cancelled, "the stop")
        if not takes_notice:
            emit(1)
        return "what there is"

    expected: Outcome = Success("what there is") if takes_notice else Stopped()
    assert called(work, Received(stop=True))[0] == expected
