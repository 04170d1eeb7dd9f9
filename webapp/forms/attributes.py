"""HTML attributes for a field's limits, so that the browser accepts what the model accepts."""

import math
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import ROUND_CEILING, Decimal
from typing import Any

from webapp.forms.json_schema import NoField
from webapp.forms.texts import LONGEST_TEXT, as_shown

# Beyond this a browser's number field rounds; such integers get a text field that accepts digits.
LARGEST_EXACT_NUMBER = 2**53
# Without these limits some browsers accept six-digit years. A moment must be valid in every time zone.
LAST_DAY = "9999-12-31"
LAST_MOMENT = "9999-12-30T23:59"
# Minimum number of steps of a slider for non-integers. Rounding the step to a power of ten gives up to ten times more.
SLIDER_STEPS = 100

# The resolution of browsers' time inputs.
TICK = timedelta(milliseconds=1)
# The HTML attribute for each date or time bound, and its offset in days or ticks.
ENDS = {"minimum": ("min", 0), "exclusiveMinimum": ("min", 1), "maximum": ("max", 0), "exclusiveMaximum": ("max", -1)}

Spec = Mapping[str, Any]


def attributes_of(kind: str, spec: Spec) -> dict[str, Any]:
    """Return the HTML attributes of a field's input."""
    placeholder = {"placeholder": spec["placeholder"]} if "placeholder" in spec else {}
    return {**placeholder, **KINDS.get(kind, _none)(spec)}


def is_large(spec: Spec) -> bool:
    """Return whether an integer may be too large for a browser's number field."""
    bounds = (spec.get("minimum", 0), spec.get("maximum", 0))
    return any(abs(bound) > LARGEST_EXACT_NUMBER for bound in bounds)


def slider_of(spec: Spec, attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a slider's range and step. Raises NoField without a reachable lower and upper bound."""
    least, most, step = (attributes.get(key, 0) for key in ("min", "max", "step"))
    # With a smallest step, the value next to an exclusive bound is reachable.
    is_exact = spec.get("type") == "integer" or (spec.get("format") == "decimal" and step != "any")
    named = {"min", "max"} if is_exact else {"minimum", "maximum"}
    if not named <= (spec.keys() | attributes.keys()) or least >= most:
        raise NoField("is a Slider, so it must be a number with a minimum and a maximum, such as Field(ge=0, le=1).")
    if step == "any":
        step = 10 ** math.floor(math.log10((most - least) / SLIDER_STEPS))
    return {"min": least, "max": most, "step": step}


def _none(spec: Spec) -> dict[str, Any]:
    return {}


def _length(spec: Spec) -> dict[str, Any]:
    named = {"minLength": "minlength", "maxLength": "maxlength"}
    return {html: spec[key] for key, html in named.items() if key in spec}


def _digits(spec: Spec) -> dict[str, Any]:
    longest = max(len(str(spec.get(end, 0))) for end in ("minimum", "maximum"))
    return {"inputmode": "numeric", "maxlength": longest}


def _integer(spec: Spec) -> dict[str, Any]:
    step = spec.get("multipleOf", 1)
    return {**_range(spec, Decimal(str(step)), beyond=1), "step": step}


def _number(spec: Spec) -> dict[str, Any]:
    step = spec.get("multipleOf")
    return {**_range(spec, Decimal(str(step or 0))), "step": step or "any"}


def _decimal(spec: Spec) -> dict[str, Any]:
    places, digits = spec.get("decimalPlaces"), spec.get("maxDigits")
    smallest = Decimal(1).scaleb(-int(places)) if places else Decimal(0)
    step = Decimal(spec.get("multipleOf", smallest))
    if places and digits:
        most = Decimal(10) ** (int(digits) - int(places)) - smallest
        spec = {
            **spec,
            "minimum": max(-most, _bound(spec, "minimum", -most)),
            "maximum": min(most, _bound(spec, "maximum", most)),
        }
    return {**_range(spec, step, beyond=smallest), "step": f"{step:f}" if step else "any"}


def _bound(spec: Spec, name: str, otherwise: Decimal) -> Decimal:
    return Decimal(str(spec.get(name, otherwise)))


def _range(spec: Spec, step: Decimal, beyond: Decimal | int = 0) -> dict[str, Any]:
    """Return `min` and `max`. Browsers count steps from `min`, so it is rounded up to a whole step."""
    found = {}
    lowest = [Decimal(str(spec["minimum"]))] if "minimum" in spec else []
    lowest += [Decimal(str(spec["exclusiveMinimum"])) + beyond] if "exclusiveMinimum" in spec else []
    highest = [Decimal(str(spec["maximum"]))] if "maximum" in spec else []
    highest += [Decimal(str(spec["exclusiveMaximum"])) - beyond] if "exclusiveMaximum" in spec else []
    if lowest:
        found["min"] = _written(_up_to_step(max(lowest), step))
    if highest:
        found["max"] = _written(min(highest))
    return found


def _up_to_step(number: Decimal, step: Decimal) -> Decimal:
    return (number / step).to_integral_value(ROUND_CEILING) * step if step else number


def _written(number: Decimal) -> int | float:
    return int(number) if number == number.to_integral_value() else float(number)


def _date(spec: Spec) -> dict[str, Any]:
    ends = _ends(spec, lambda end, _side, beyond: str(date.fromisoformat(end) + timedelta(beyond)))
    return {"max": LAST_DAY, **ends}


def _clock(spec: Spec) -> dict[str, Any]:
    def convert(end: str, side: str, beyond: int) -> str:
        on_some_day = datetime.combine(date(2000, 1, 1), time.fromisoformat(end))
        return as_shown(_to_tick(on_some_day, side, beyond).time())

    return {**_ends(spec, convert), "step": "any"}


def _wall_clock(spec: Spec) -> dict[str, Any]:
    ends = _ends(spec, lambda end, side, beyond: as_shown(_to_tick(datetime.fromisoformat(end), side, beyond)))
    return {"max": LAST_MOMENT, **ends, "step": "any"}


def _moment(spec: Spec) -> dict[str, Any]:
    # The limits are in UTC and the input is in local time, so only the server compares them.
    return {"max": LAST_MOMENT, "step": "any"}


def _ends(spec: Spec, convert: Callable[[str, str, int], str]) -> dict[str, Any]:
    return {side: convert(spec[key], side, beyond) for key, (side, beyond) in ENDS.items() if key in spec}


def _to_tick(moment: datetime, side: str, beyond: int) -> datetime:
    """Round a bound to the first or last allowed moment in whole milliseconds."""
    over = timedelta(microseconds=moment.microsecond % 1000)
    if over:
        return moment - over + (TICK if side == "min" else timedelta())
    return moment + beyond * TICK


def _duration(spec: Spec) -> dict[str, Any]:
    return {"maxlength": LONGEST_TEXT, "autocapitalize": "none"}


def _address(spec: Spec) -> dict[str, Any]:
    return {**_length(spec), "spellcheck": "false"}


def _file(spec: Spec) -> dict[str, Any]:
    return {"accept": ",".join(spec["accept"])} if "accept" in spec else {}


def _files(spec: Spec) -> dict[str, Any]:
    return {"multiple": "", **_file(spec)}


KINDS: dict[str, Callable[[Spec], dict[str, Any]]] = {
    "text": _length,
    "long_text": _length,
    "secret": _length,
    "digits": _digits,
    "integer": _integer,
    "number": _number,
    "decimal": _decimal,
    "date": _date,
    "time": _clock,
    "moment": _moment,
    "wall_clock": _wall_clock,
    "duration": _duration,
    "uuid": _address,
    "email": _address,
    "url": _address,
    "file": _file,
    "files": _files,
}
