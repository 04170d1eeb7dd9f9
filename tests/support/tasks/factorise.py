"""A task with a result template and a number that is larger than what JavaScript can hold."""

from typing import Annotated

from pydantic import Field

from jobs import task


@task(example={"number": 360})
def factorise(
    number: Annotated[int, Field(ge=1, le=10**45, description="A whole number of up to 45 digits.")],
) -> list[int]:
    """Find the prime factors of a whole number."""
    factors, divisor = [], 2
    while divisor * divisor <= number:
        while number % divisor == 0:
            factors.append(divisor)
            number //= divisor
        divisor += 1
    return [*factors, number] if number > 1 else factors
