"""Password hashing with Argon2id, in threads, and a check against common passwords."""

from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from webapp.accounts import messages
from webapp.threads import CHECKING, HASHING

SHORTEST = 8
LONGEST = 256

# The OWASP Password Storage Cheat Sheet's first choice for Argon2id: 19 MiB, two passes, one lane.
_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


def problem_with(password: str) -> str | None:
    """Return why a password is not acceptable, or None if it is."""
    if len(password) < SHORTEST:
        return messages.TOO_SHORT.format(shortest=SHORTEST)
    if len(password) > LONGEST:
        return messages.TOO_LONG.format(longest=LONGEST)
    if password.lower() in _commonest():
        return messages.TOO_COMMON
    return None


def hash_password(password: str) -> str:
    return HASHING.call(_hasher.hash, password)


def matches(password_hash: str | None, password: str) -> bool:
    """Return whether a password matches a hash.

    Takes as long without a hash, so that response times do not reveal which accounts exist.
    """
    return CHECKING.call(_verify, password_hash or _nobodys_hash(), password) and password_hash is not None


def _verify(password_hash: str, password: str) -> bool:
    try:
        return _hasher.verify(password_hash, password)
    except (VerifyMismatchError, InvalidHashError):
        return False


@cache
def _nobodys_hash() -> str:
    return _hasher.hash("nobody has this password")


@cache
def _commonest() -> frozenset[str]:
    from zxcvbn.frequency_lists import (
        FREQUENCY_LISTS,
    )  # large, and needed only when a password is chosen

    return frozenset(word for word in FREQUENCY_LISTS["passwords"] if len(word) >= SHORTEST)
