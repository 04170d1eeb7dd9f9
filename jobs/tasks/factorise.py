"""Factorise an integer."""

from typing import Annotated

from pydantic import Field

from jobs import task


@task(group="Numbers", tags=["primes"], icon="calculator", memory=300, example={"number": 2**128 + 1})
def factorise(
    number: Annotated[int, Field(ge=1, le=10**45, description="A whole number of up to 45 digits.")],
) -> dict[str, int | list[tuple[int, int]]]:
    """Find the exact prime factors of a whole number."""
    from flint import fmpz  # it takes 12 MB

    factors = [(int(prime), int(exponent)) for prime, exponent in fmpz(number).factor()]
    return {"number": number, "factors": factors}
