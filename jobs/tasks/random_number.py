"""Draw a random number."""

import secrets
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationInfo

from jobs import task

LARGEST = 10**12


def _not_below_minimum(maximum: int, info: ValidationInfo) -> int:
    if maximum < info.data.get("minimum", maximum):
        raise ValueError("The maximum must not be smaller than the minimum.")
    return maximum


@task(group="Numbers", tags=["dice"], icon="calculator", memory=100, example={"minimum": 1, "maximum": 6})
def random_number(
    minimum: Annotated[int, Field(ge=-LARGEST, le=LARGEST)] = 1,
    maximum: Annotated[int, Field(ge=-LARGEST, le=LARGEST), AfterValidator(_not_below_minimum)] = 100,
) -> int:
    """Draw a whole number between the minimum and the maximum, each with equal probability."""
    return minimum + secrets.randbelow(maximum - minimum + 1)
