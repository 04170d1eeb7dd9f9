"""Conversion between single values and the text of their fields."""

import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from webapp.forms.messages import (
    LONG_NUMBER,
    NO_DATE,
    NO_DURATION,
    NO_FINITE_NUMBER,
    NO_MOMENT,
    NO_NUMBER,
    NO_TIME,
    NO_WHOLE_NUMBER,
    SKIPPED,
)

T = TypeVar("T")

LONGEST_NUMBER = 1000
LONGEST_TEXT = 100  # for single-line values that are not text, such as moments and durations

NOT_FINITE = ("nan", "inf", "-inf", "infinity", "-infinity")
NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
CLOCK = re.compile(r"[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?")
MOMENT = re.compile(rf"{DATE.pattern}[T ]{CLOCK.pattern}")

MOMENTS: dict[str, TypeAdapter[Any]] = {
    "moment": TypeAdapter(datetime),
    "wall_clock": TypeAdapter(datetime),
    "time": TypeAdapter(time),
}

# Units of durations, by their distinguishing letters.
SECONDS: dict[str, int | Decimal] = {"w": 604_800, "d": 86_400, "h": 3600, "m": 60, "s": 1, "ms": Decimal("0.001")}
UNIT = "weeks?|days?|hours?|minutes?|seconds?|min|ms|[wdhms]"
AMOUNT = r"[0-9]{1,7}(?:\.[0-9]{1,6})?"
DURATION = re.compile(rf"-?(?:[0-9]{{1,7}}:[0-5][0-9]:[0-5][0-9](?:\.[0-9]{{1,6}})?|(?:{AMOUNT} *(?:{UNIT})[ ,]*)+)")

# Messages for input that the browser cannot parse and submits as empty, such as half a date.
UNREADABLE = {
    "integer": NO_WHOLE_NUMBER,
    "number": NO_NUMBER,
    "decimal": NO_NUMBER,
    "date": NO_DATE,
    "time": NO_TIME,
    "moment": NO_MOMENT,
    "wall_clock": NO_MOMENT,
}


class InvalidText(ValueError):
    """A text that is not a valid value for its field. The message is for the user."""


def value_of(kind: str, text: str, zone: tzinfo) -> Any:
    """Parse the text of a field of this kind. Raises InvalidText if it is invalid."""
    if kind == "moment":
        return _in_utc(_wall_clock(text), zone)
    return PARSERS[kind](text) if kind in PARSERS else text


def text_of(kind: str, value: Any) -> str:
    """Format a JSON value for a field of this kind, with moments in UTC."""
    if kind == "duration":
        return _spoken(TypeAdapter(timedelta).validate_python(value))
    if kind in MOMENTS:
        return as_shown(_local(kind, MOMENTS[kind].validate_python(value), UTC))
    return str(value)


def exact_of(kind: str, value: Any) -> str:
    """Return the JSON value of a time if its text may not say it all, otherwise an empty text.

    A field shows milliseconds and no zone. A moment may be in the hour that a zone repeats when its clocks go back.
    """
    try:
        whole = MOMENTS[kind].validate_python(value)
    except ValidationError:  # stored before the task changed
        return ""
    return str(value) if kind == "moment" or whole != _cut(whole) or whole.tzinfo else ""


def exactly(kind: str, text: str, exact: str, zone: tzinfo) -> datetime | time | None:
    """Return the exact value that a field was filled with, or None if its text says another one now."""
    try:
        whole: datetime | time = MOMENTS[kind].validate_python(exact)
        typed = _wall_clock(text) if isinstance(whole, datetime) else _clock(text)
        return whole if typed == _cut(_local(kind, whole, zone)) else None
    except (ValueError, OverflowError):
        return None


def _local(kind: str, moment: datetime | time, zone: tzinfo) -> datetime | time:
    if isinstance(moment, datetime) and kind == "moment":
        moment = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(zone)
    return moment.replace(tzinfo=None, fold=0)


def _cut(moment: datetime | time) -> datetime | time:
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _integer(text: str) -> int:
    number = _decimal(text, NO_WHOLE_NUMBER)
    if number != number.to_integral_value():
        raise InvalidText(NO_WHOLE_NUMBER)
    return int(number)


def _number(text: str) -> float:
    number = math.nan if text.strip().lower() in NOT_FINITE else float(_decimal(text))
    if not math.isfinite(number):  # JSON has no form for it
        raise InvalidText(NO_FINITE_NUMBER)
    return number


def _decimal(text: str, message: str = NO_NUMBER) -> Decimal:
    if len(text) > LONGEST_NUMBER:
        raise InvalidText(LONG_NUMBER.format(longest=LONGEST_NUMBER))
    return _parsed(NUMBER, Decimal, text, message)


def _wall_clock(text: str) -> datetime:
    return _parsed(MOMENT, datetime.fromisoformat, text, NO_MOMENT)


def _clock(text: str) -> time:
    return _parsed(CLOCK, time.fromisoformat, text, NO_TIME)


def _in_utc(local: datetime, zone: tzinfo) -> datetime:
    try:
        moment = local.replace(tzinfo=zone).astimezone(UTC)
        back = moment.astimezone(zone).replace(tzinfo=None)
    except OverflowError:
        raise InvalidText(NO_MOMENT) from None
    if back != local:
        raise InvalidText(SKIPPED)
    return moment


def _duration(text: str) -> timedelta:
    return _parsed(DURATION, _measured, text, NO_DURATION)


def _measured(text: str) -> timedelta:
    if ":" in text:
        hours, minutes, seconds = map(Decimal, text.lstrip("-").split(":"))
        total = hours * 3600 + minutes * 60 + seconds
    else:
        parts = re.findall(rf"({AMOUNT}) *({UNIT})", text)
        total = sum((Decimal(amount) * _seconds(unit) for amount, unit in parts), Decimal())
    return timedelta(microseconds=int(total * 1_000_000)) * (-1 if text.startswith("-") else 1)


def _seconds(unit: str) -> Decimal:
    return Decimal(SECONDS["ms" if unit == "ms" else unit[0]])


def _spoken(length: timedelta) -> str:
    microseconds = length // timedelta(microseconds=1)
    left, parts = abs(microseconds), []
    for unit, size in (("d", 86_400_000_000), ("h", 3_600_000_000), ("min", 60_000_000)):
        count, left = divmod(left, size)
        parts += [f"{count} {unit}"] if count else []
    parts += [f"{(Decimal(left) / 1_000_000).normalize():f} s"] if left or not parts else []
    return ("-" if microseconds < 0 else "") + " ".join(parts)


def as_shown(moment: datetime | time) -> str:
    """Format a time for a browser's input, which supports milliseconds at most."""
    if moment.microsecond:
        return moment.isoformat(timespec="milliseconds")
    return moment.isoformat(timespec="seconds" if moment.second else "minutes")


def _parsed(pattern: re.Pattern[str], parse: Callable[[str], T], text: str, message: str) -> T:
    """Parse a text. Raises InvalidText with the message if it has another form, or names a day that does not exist."""
    stripped = text.strip()
    try:
        if len(stripped) <= LONGEST_NUMBER and pattern.fullmatch(stripped):
            return parse(stripped)
    except ValueError:
        pass
    raise InvalidText(message)


PARSERS: dict[str, Callable[[str], Any]] = {
    "integer": _integer,
    "digits": _integer,
    "number": _number,
    "decimal": _decimal,
    "date": lambda text: _parsed(DATE, date.fromisoformat, text, NO_DATE),
    "time": _clock,
    "wall_clock": _wall_clock,
    "duration": _duration,
    "uuid": str.strip,
    "email": str.strip,
    "url": str.strip,
}
