"""Convert a task's values to the plain JSON that the database stores, at most 1 MB."""

from typing import Any

from pydantic_core import to_json

from jobs.values.encoder import ADVICE, LARGEST_BYTES, Encoder
from jobs.values.errors import ResultError
from jobs.values.files import REFUSED


def json_value(value: Any, what: str = "The result") -> Any:
    """Return the JSON form of a value without files, with NaN and infinity as text.

    Raises ResultError, with the reason, when any part of it has no JSON form, or when it exceeds 1 MB.
    """
    encoder = Encoder(REFUSED)
    kept = sized(encoder.encode(value, what), what)
    if encoder.left_out:
        raise ResultError(f"{what} cannot be stored. {encoder.left_out}")
    return kept


def sized(kept: Any, what: str) -> Any:
    """Return a JSON value. Raises ResultError if it exceeds 1 MB."""
    size = len(to_json(kept))
    if size > LARGEST_BYTES:
        raise ResultError(f"{what} is too large: {size:,} bytes. The limit is {LARGEST_BYTES:,} bytes. {ADVICE}")
    return kept


__all__ = ["LARGEST_BYTES", "ResultError", "json_value"]
