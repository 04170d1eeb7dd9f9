from typing import Any

import pytest
from pydantic import ValidationError

from jobs.tasks.random_number import random_number


def test_every_number_between_the_ends_comes_up_and_no_other() -> None:
    assert {random_number(minimum=-1, maximum=2) for _ in range(500)} == {-1, 0, 1, 2}


def test_one_number_is_a_range_too() -> None:
    assert random_number(minimum=7, maximum=7) == 7


@pytest.mark.parametrize("values", [{"minimum": 5, "maximum": 4}, {"minimum": 101}, {"maximum": 0}])
def test_a_maximum_below_the_minimum_is_refused_at_the_maximum(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as refusal:
        random_number.__dict__["__task__"].parameters.model_validate(values)
    (problem,) = refusal.value.errors()
    assert problem["loc"] == ("maximum",)
    assert "must not be smaller" in problem["msg"]
