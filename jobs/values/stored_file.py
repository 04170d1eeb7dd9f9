"""Files in the file store, as runs and results refer to them."""

from typing import NamedTuple


class StoredFile(NamedTuple):
    """What the store has taken: the SHA-256 of its content in hexadecimal digits, and its size in bytes."""

    sha256: str
    size: int


class RunFile(NamedTuple):
    """A stored file as a run knows it."""

    sha256: str
    size: int
    name: str
    media_type: str


class StoreAway(OSError):
    """The store does not answer, or refuses; the message says which, and trying again later may help."""
