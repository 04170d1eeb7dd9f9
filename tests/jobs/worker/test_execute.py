"""Execution: every return, exception and exit of a task has an outcome that describes it."""

import os
import sys
from collections.abc import Callable
from typing import Any, NoReturn

import pytest

from jobs.authoring.context import FinalFailure
from jobs.values.outcome import Failure
from tests.support.calling import called


def failure(function: Callable[..., Any]) -> Failure:
    outcome, _heard = called(function)
    assert isinstance(outcome, Failure), outcome
    return outcome


# --- exceptions


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


class Numeric(Exception):
    def __str__(self) -> str:
        return 42  # type: ignore[return-value]  # the mistake that is tested


class Leaving(Exception):
    def __str__(self) -> str:
        sys.exit("from within")


class Endless(Exception):
    def __str__(self) -> str:
        return "word " * 6_000_000


class Unwritable(Exception):
    """Its traceback cannot be rendered: what Python looks at for that fails."""

    @property
    def __notes__(self) -> NoReturn:  # type: ignore[override]  # it is to fail
        raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (SyntaxError("bad", ("f.py", "x", "y", 5)), "SyntaxError", "bad"),  # type: ignore[arg-type]  # Python's own
        (Mute(), "Mute", "unreadable message (RuntimeError in __str__)"),
        (Numeric(), "Numeric", "unreadable message (TypeError in __str__)"),
        (Leaving(), "Leaving", "unreadable message (SystemExit in __str__)"),
        (Unwritable("odd"), "Unwritable", "odd"),
        (ValueError(), "ValueError", "no message"),
        (ValueError("\ud800 \x00"), "ValueError", "\\ud800 \\x00"),
        (KeyboardInterrupt("by hand"), "KeyboardInterrupt", "by hand"),
        (GeneratorExit("early"), "GeneratorExit", "early"),
        (BaseException("at the root"), "BaseException", "at the root"),
    ],
)
def test_an_exception_of_any_kind_is_a_failure_with_its_words(error: BaseException, kind: str, words: str) -> None:
    def fail() -> None:
        raise error

    failed = failure(fail)
    assert (failed.kind, failed.final) == (kind, False)
    assert failed.message.startswith(words)
    assert kind in str(failed.traceback)
    assert "in fail" in str(failed.traceback)


def test_a_message_of_30_megabytes_is_cut() -> None:
    def fail() -> None:
        raise Endless

    failed = failure(fail)
    assert failed.message.startswith("word word")
    assert failed.message.endswith("… (cut after 10,000 characters)")
    assert len(str(failed.traceback)) <= 20_000


def test_a_chain_of_ten_thousand_causes_is_a_failure_like_another() -> None:
    def fail() -> None:
        error: Exception | None = None
        for number in range(10_000):
            following = ValueError(f"number {number}")
            following.__cause__, error = error, following
        assert error
        raise error

    failed = failure(fail)
    assert (failed.kind, failed.message) == ("ValueError", "number 9999")
    assert "ValueError" in str(failed.traceback)
    assert len(str(failed.traceback)) <= 20_000


def test_the_traceback_begins_in_the_task_and_ends_with_its_exception() -> None:
    def fail() -> None:
        raise RuntimeError("why")

    traceback = str(failure(fail).traceback)
    assert traceback.splitlines()[1].endswith("in fail")
    assert "jobs/worker/execute.py" not in traceback
    assert traceback.endswith("RuntimeError: why\n")


def test_a_failure_that_is_declared_final_is_final() -> None:
    def fail() -> None:
        raise FinalFailure("never again")

    assert failure(fail).final


@pytest.mark.parametrize(
    ("code", "said"),
    [((), ""), ((0,), "0"), ((3,), "3"), ((None,), ""), (("words",), "words"), ((Mute(),), "unreadable")],
)
def test_a_task_that_exits_python_fails_with_advice_on_how_to_end(code: tuple[Any, ...], said: str) -> None:
    def leave() -> None:
        sys.exit(*code)

    failed = failure(leave)
    assert failed.kind == "SystemExit"
    assert failed.message.startswith(f"The task called sys.exit({said}")
    assert "To succeed, return from the function." in failed.message


@pytest.mark.parametrize(("code", "words"), [(0, "exited with code 0"), (7, "exited with code 7")])
def test_a_process_that_ends_past_python_is_a_failure(code: int, words: str) -> None:
    def leave() -> None:
        os._exit(code)

    failed = failure(leave)
    assert (failed.kind, words in failed.message) == ("ProcessKilled", True)


def test_recursion_without_end_is_a_failure() -> None:
    def again() -> None:
        again()

    assert failure(again).kind == "RecursionError"


@pytest.mark.parametrize(
    "make",
    [object, lambda: "x" * 2_000_000, lambda: range(10**12), lambda: len, lambda: 10**5_000_000],
    ids=["object", "large", "endless", "function", "digits"],
)
def test_a_result_that_cannot_be_kept_is_a_failure_that_says_so(make: Callable[[], Any]) -> None:
    def work() -> Any:
        return make()

    failed = failure(work)
    assert (failed.kind, failed.final) == ("ResultError", True)


# --- functions of every kind
