"""A task with two numbers, one of which limits the other."""

import random
from typing import Annotated

from pydantic import AfterValidator, ValidationInfo

from jobs import task


def _not_below_minimum(maximum: int, info: ValidationInfo) -> int:
    if maximum < info.data.get("minimum", maximum):
        raise ValueError("The maximum must not be smaller than the minimum.")
    return maximum


@task(example={"minimum": 1, "maximum": 6})
def random_number(minimum: int = 1, maximum: Annotated[int, AfterValidator(_not_below_minimum)] = 100) -> int:
    """Draw a whole number between the minimum and the maximum."""
    return random.randint(minimum, maximum)
