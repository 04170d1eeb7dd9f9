"""What the database keeps of a task's values: plain JSON, at most 1 MB."""

from typing import Any

from pydantic_core import PydanticSerializationError, from_json, to_json

from jobs.values.dataframe import plain

LARGEST_BYTES = 1_000_000


class ResultError(Exception):
    """A task returned or saved something that cannot be kept; the message says why."""


def json_value(value: Any, what: str = "The result") -> Any:
    """The value as JSON keeps it, at most 1 MB, with NaN and infinity as text. Raises ResultError with the reason."""
    try:
        encoded = to_json(value, inf_nan_mode="strings", fallback=plain)
        kept = from_json(encoded, cache_strings="none")
    except (PydanticSerializationError, ValueError, TypeError, RecursionError) as error:
        reason = str(error).removeprefix("Error serializing to JSON: ")
        raise ResultError(f"{what} cannot be kept as JSON: {reason}") from None
    if len(encoded) > LARGEST_BYTES:
        advice = "Put it into a file and return that: Download(content, name=...)."
        raise ResultError(f"{what} is too large: {len(encoded):,} bytes, and {LARGEST_BYTES:,} can be kept. {advice}")
    return kept
