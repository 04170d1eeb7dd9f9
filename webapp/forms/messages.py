"""Validation messages for form users, from pydantic's errors."""

import math
import re
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from pydantic_core import ErrorDetails

FAILED_CHECK = "A check of these values failed with {kind}. Change the values, or tell whoever wrote this task."
EMPTY = "Fill this in."
UNKEPT = "This contains a NUL character, which can't be stored. Remove it."
NO_FILE = "Choose a file."
LOST_FILE = "A file chosen earlier is no longer available. Choose it again."
LOST_VALUE = "The saved value can't be read any more. Enter it again."
NO_CHOICE = "Choose one of these."
TWICE = "This is already in the list. Enter a different one."
TOO_MANY_ROWS = "A form can have at most {most} rows. Remove some."
NO_NUMBER = "Enter a number."
LONG_NUMBER = "This number is too long. Enter at most {longest:,} characters."
NO_FINITE_NUMBER = "Enter a finite number."
NO_WHOLE_NUMBER = "Enter a whole number."
NO_DATE = "Enter a date, such as 2026-01-31."
NO_TIME = "Enter a time, such as 14:30."
NO_MOMENT = "Enter a date and a time, such as 2026-01-31 14:30."
NO_DURATION = "Enter a duration, such as 1 h 30 min or 1:30:00."
SKIPPED = "That time doesn't exist: clocks go forward then. Enter an earlier or later one."
NO_ZONE = "Your browser's time zone is not supported. Enter the time in UTC."

MESSAGES = {
    "missing": EMPTY,
    "finite_number": NO_FINITE_NUMBER,
    "greater_than": "Must be greater than {gt}.",
    "greater_than_equal": "Must be {ge} or more.",
    "less_than": "Must be less than {lt}.",
    "less_than_equal": "Must be {le} or less.",
    "multiple_of": "Must be a multiple of {multiple_of}.",
    "decimal_max_digits": "Enter at most {max_digits} digits.",
    "decimal_max_places": "Enter at most {decimal_places} digits after the decimal point.",
    "decimal_whole_digits": "Enter at most {whole_digits} digits before the decimal point.",
    "string_too_short": "Enter at least {min_length} characters.",
    "string_too_long": "Enter at most {max_length} characters.",
    "string_pattern_mismatch": "This doesn't match the expected format.",
    "literal_error": NO_CHOICE,
    "enum": NO_CHOICE,
    "too_short": "At least {min_length} required.",
    "too_long": "At most {max_length} allowed.",
    "date_past": "Enter a date in the past.",
    "date_future": "Enter a date in the future.",
    "datetime_past": "Enter a time in the past.",
    "datetime_future": "Enter a time in the future.",
    "url_parsing": "Enter a web address, such as https://example.com.",
    "url_too_long": "Enter at most {max_length} characters.",
    "url_scheme": "The address must begin with {expected_schemes}, followed by a colon.",
    "uuid_parsing": "Enter a UUID, such as 123e4567-e89b-12d3-a456-426614174000.",
    "uuid_version": "Enter a UUID of version {expected_version}.",
}
# Messages for dates and times, which are later or earlier, not more or less.
MOMENTS = {
    "greater_than": "Must be later than {gt}.",
    "greater_than_equal": "Must be {ge} or later.",
    "less_than": "Must be earlier than {lt}.",
    "less_than_equal": "Must be {le} or earlier.",
}
MOMENT_KINDS = frozenset({"date", "time", "moment", "wall_clock"})
CHOICE_KINDS = frozenset({"radios", "select", "variant"})
ONE_OF_SEVERAL = re.compile(r"\b1 (character|digit)s\b")


def message(detail: ErrorDetails, kind: str = "", zone: str = "UTC") -> str:
    """Return the message for a pydantic error in a field of this kind, with moments in the given time zone."""
    if kind in MOMENT_KINDS and detail["type"] in MOMENTS:
        ends = {key: _moment(str(value), kind, zone) for key, value in detail["ctx"].items()}
        return MOMENTS[detail["type"]].format(**ends)
    text = ONE_OF_SEVERAL.sub(r"1 \1", _message(detail))
    return nothing_in(kind) if text == EMPTY else text


def nothing_in(kind: str) -> str:
    """Return the message for an empty field of this kind."""
    return NO_CHOICE if kind in CHOICE_KINDS else EMPTY


def _message(detail: ErrorDetails) -> str:
    context = {key: _readable(value) for key, value in detail.get("ctx", {}).items()}
    if detail["type"] == "value_error" and "reason" in context:
        return f"Enter an e-mail address. {context['reason']}"
    if detail["type"] == "value_error":
        return str(context.get("error", detail["msg"]))
    if detail["input"] == "" and detail.get("ctx", {}).get("min_length", 1) == 1:
        return EMPTY
    kind = detail["type"]
    if kind in ("too_short", "too_long") and isinstance(
        detail["input"], str
    ):  # pydantic's error type for a secret's length
        kind = f"string_{kind}"
    template = MESSAGES.get(kind)
    return template.format(**context) if template else f"{detail['msg']}."


def _moment(text: str, kind: str, zone: str) -> str:
    """Format a bound in ISO format as the field shows it."""
    if kind == "moment":
        end = datetime.fromisoformat(text)
        local = (end if end.tzinfo else end.replace(tzinfo=UTC)).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        text = local.isoformat()
    return text.replace("T", " ").removesuffix(":00") if kind != "date" else text


def _readable(value: Any) -> Any:
    if isinstance(value, date) or not isinstance(value, int | float) or isinstance(value, bool):
        return value
    if isinstance(value, float) and not (math.isfinite(value) and value.is_integer()):
        return value
    return f"{int(value):,}"
