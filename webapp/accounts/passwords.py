"""Password hashing with Argon2id, in threads, and a check against common passwords."""

import string
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from webapp.accounts import messages
from webapp.threads import CHECKING, HASHING

SHORTEST = 8
LONGEST = 256
LEAST_DIFFERENT = 4  # characters
SHORTEST_WORD = 4
AROUND = string.digits + string.punctuation + string.whitespace
LOOKALIKES = str.maketrans("01345789@$!", "oleastbgasi")

# The OWASP Password Storage Cheat Sheet's first choice for Argon2id: 19 MiB, two passes, one lane.
_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


def problem_with(password: str, email: str = "") -> str | None:
    """Return why a password of the user with this e-mail address is not acceptable, or None if it is."""
    if len(password) < SHORTEST:
        return messages.TOO_SHORT.format(shortest=SHORTEST)
    if len(password) > LONGEST:
        return messages.TOO_LONG.format(longest=LONGEST)
    if len(set(password)) < LEAST_DIFFERENT:
        return messages.TOO_PLAIN
    if _is_of_address(password.lower(), email.lower()):
        return messages.OF_ADDRESS
    return messages.TOO_COMMON if _is_common(password.lower()) else None


def _is_of_address(password: str, email: str) -> bool:
    """Return whether a password is an e-mail address, or its first part with digits or signs around it."""
    return bool(email) and (password == email or _core(password) == _core(email.partition("@")[0]))


def _is_common(password: str) -> bool:
    """Return whether a password is a common one, also with the usual digits for letters, and digits or signs around."""
    cores = {_core(password).translate(LOOKALIKES), _core(password.translate(LOOKALIKES))}
    return password in _commonest() or any(len(core) >= SHORTEST_WORD and core in _commonest() for core in cores)


def _core(text: str) -> str:
    return text.strip(AROUND)


def hash_password(password: str) -> str:
    return HASHING.call(_hasher.hash, password)


def matches(password_hash: str | None, password: str) -> bool:
    """Return whether a password matches a hash. None does without one, as of an account that has no password.

    Takes as long without a hash, so that response times do not reveal which accounts exist.
    """
    return CHECKING.call(_verify, password_hash or _nobodys_hash(), password) and bool(password_hash)


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

    return frozenset(word for word in FREQUENCY_LISTS["passwords"] if len(word) >= SHORTEST_WORD)
