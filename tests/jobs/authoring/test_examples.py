"""Examples: what a task's page offers to fill in, checked when the task is loaded."""

from datetime import date, timedelta
from typing import Annotated, Any

import pytest
from pydantic import Field

from jobs import task
from jobs.authoring.task import TaskError


def example_of(function: Any) -> Any:
    return function.__dict__["__task__"].example


def test_an_example_is_kept_as_json_with_the_defaults_it_leaves_out() -> None:
    @task(example={"day": date(2026, 1, 31)})
    def plan(day: date, times: int = 2) -> None: ...

    assert example_of(plan) == {"day": "2026-01-31", "times": 2}


@pytest.mark.parametrize(
    ("example", "words"),
    [
        ({"samples": 0}, "its example is not valid: samples: Input should be greater than or equal to 1"),
        ({}, "its example is not valid: samples: Field required"),
        ({"samples": 1, "sample": 1}, "its example is not valid: sample: Extra inputs are not permitted"),
        ([1], "the option 'example' must be a mapping of parameters"),
    ],
)
def test_an_example_that_its_own_task_refuses_is_named_with_file_and_line(example: Any, words: str) -> None:
    def throw(samples: Annotated[int, Field(ge=1)]) -> None: ...

    with pytest.raises(TaskError, match=rf"test_examples\.py:\d+: task 'throw': {words}"):
        task(example=example)(throw)


def test_the_examples_of_all_required_fields_make_one() -> None:
    @task
    def greet(name: Annotated[str, Field(examples=["Ada", "Ben"])], times: int = 2) -> None: ...

    assert example_of(greet) == {"name": "Ada", "times": 2}


def test_there_is_none_where_a_required_field_says_none_or_only_words_for_people() -> None:
    @task
    def half(name: Annotated[str, Field(examples=["Ada"])], other: str) -> None: ...

    @task
    def spoken(length: Annotated[timedelta, Field(examples=["1 h 30 min"])]) -> None: ...

    @task
    def nothing_to_fill_in(times: int = 2) -> None: ...

    assert [example_of(one) for one in (half, spoken, nothing_to_fill_in)] == [{}, {}, {}]
