"""Convert a task's values to the plain JSON that the database stores, at most 1 MB."""

from typing import Any

from pydantic_core import PydanticSerializationError, from_json, to_json

from jobs.values.dataframe import plain

LARGEST_BYTES = 1_000_000


class ResultError(Exception):
    """A value that a task returned, emitted or saved and that cannot be stored; the message gives the reason."""


def json_value(value: Any, what: str = "The result") -> Any:
    """Return the JSON form of a value, with NaN and infinity as text.

    Raises ResultError, with the reason, when the value has no JSON form or exceeds 1 MB.
    """
    try:
        encoded = to_json(value, inf_nan_mode="strings", fallback=plain)
        kept = from_json(encoded, cache_strings="none")
    except (PydanticSerializationError, ValueError, TypeError, RecursionError) as error:
        reason = str(error).removeprefix("Error serializing to JSON: ")
        raise ResultError(f"{what} cannot be stored as JSON: {reason}") from None
    if len(encoded) > LARGEST_BYTES:
        advice = "Return a file instead: Download(content, name=...)."
        size = f"{len(encoded):,} bytes. The limit is {LARGEST_BYTES:,}."
        raise ResultError(f"{what} is too large: {size} {advice}")
    return kept
