"""The JSON body and the query string of a request."""

import json
import re
from collections.abc import Collection
from datetime import UTC, datetime
from decimal import Decimal, DecimalException
from typing import Any, NoReturn

from flask import request
from werkzeug.exceptions import RequestEntityTooLarge

from webapp.api import messages
from webapp.problems import refuse

MOST_DIGITS = 4300
RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[-+ ]\d\d:\d\d)", re.ASCII | re.IGNORECASE)


def json_object() -> dict[str, Any]:
    """Return the body's JSON object, with exact numbers, or end the request with a problem."""
    if request.mimetype != "application/json":
        refuse(415, messages.NOT_JSON)
    body = request.get_data()
    if request.content_length is None and len(body) >= (request.max_content_length or 0):
        raise RequestEntityTooLarge  # of a chunked body, the rest has been cut off
    return object_in(body)


def object_in(text: str | bytes) -> dict[str, Any]:
    """Return the JSON object in a text, with exact numbers, or end the request with a problem."""
    try:
        text = text.decode() if isinstance(text, bytes) else text
        value = json.loads(
            text, parse_int=_whole, parse_float=_number, parse_constant=_refused, object_pairs_hook=_unambiguous
        )
        json.dumps(value, ensure_ascii=False, default=str).encode()  # fails on half of a surrogate pair
    except RecursionError:
        refuse(400, messages.TOO_DEEP)
    except UnicodeError:
        refuse(400, messages.NOT_UTF8)
    except ValueError as error:
        refuse(400, messages.BAD_JSON.format(reason=error))
    if not isinstance(value, dict):
        refuse(422, messages.NO_OBJECT, {"": messages.NO_OBJECT})
    return value


def whole_number(name: str, default: int, least: int, most: int) -> int:
    """Return a whole number from the query string, or end the request with a problem."""
    text = request.args.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(most)) and least <= int(text) <= most):
        refuse_query(name, messages.NO_NUMBER.format(least=least, most=most))
    return int(text)


def moment(name: str) -> datetime | None:
    """Return a time from the query string, in RFC 3339 with a zone, or end the request with a problem."""
    text = request.args.get(name)
    if text is None:
        return None
    # A plus sign that is not percent-encoded arrives as a space.
    found = RFC_3339.fullmatch(text)
    try:
        return datetime.fromisoformat(text.upper().replace(" ", "+")).astimezone(UTC) if found else _no_moment(name)
    except (ValueError, OverflowError):
        _no_moment(name)


def _no_moment(name: str) -> NoReturn:
    refuse_query(name, messages.NO_MOMENT)


def choice(name: str, choices: Collection[str]) -> str | None:
    """Return one of these texts from the query string, or end the request with a problem."""
    text = request.args.get(name)
    if text is not None and text not in choices:
        refuse_query(name, messages.NO_STATE.format(states=", ".join(choices)))
    return text


def refuse_query(name: str, message: str) -> NoReturn:
    refuse(400, f"{name}: {message}")


def pointer(name: str) -> str:
    """Return a name as a part of a JSON pointer."""
    return "/" + name.replace("~", "~0").replace("/", "~1")


def _whole(text: str) -> int:
    if len(text) > MOST_DIGITS:  # Python takes no more
        raise ValueError(f"a number has more than {MOST_DIGITS} digits")
    return int(text)


def _number(text: str) -> float | Decimal:
    """Return a number as a float if that is exact, otherwise as a Decimal."""
    number = float(text)
    try:
        return number if Decimal(repr(number)) == Decimal(text) else Decimal(text)
    except DecimalException:
        raise ValueError("the exponent of a number is too large") from None


def _refused(constant: str) -> float:
    raise ValueError(f"{constant} is not a JSON number")


def _unambiguous(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object, of which other programs could read another value if a key came twice."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"{json.dumps(key)} stands twice in an object")
        found[key] = value
    return found
