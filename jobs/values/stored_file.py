"""Descriptions of files in the file store, and the error of a store that is unavailable."""

from typing import NamedTuple


class StoredFile(NamedTuple):
    """A file in the store: the SHA-256 of its content in hexadecimal, and its size in bytes."""

    sha256: str
    size: int


class RunFile(NamedTuple):
    """A stored file with the name and media type that a run gives it."""

    sha256: str
    size: int
    name: str
    media_type: str


class StoreAway(OSError):
    """The store does not respond or rejects the request; the message says which. Retrying later may succeed."""
