import math

import pytest

from jobs.tasks.factorise import factorise


@pytest.mark.parametrize(
    ("number", "factors"),
    [
        (1, []),
        (2, [(2, 1)]),
        (360, [(2, 3), (3, 2), (5, 1)]),
        (2**61 - 1, [(2305843009213693951, 1)]),
        (10**40, [(2, 40), (5, 40)]),
        (100000000000000012349 * 700000000000000100003, [(100000000000000012349, 1), (700000000000000100003, 1)]),
    ],
)
def test_the_factors_are_exact(number: int, factors: list[tuple[int, int]]) -> None:
    assert factorise(number) == {"number": number, "factors": factors}
    assert math.prod(prime**exponent for prime, exponent in factors) == number
