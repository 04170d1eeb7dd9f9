"""A form as a browser has it: what it sends, and what its constraint attributes let through."""

import math
from datetime import date, datetime, time
from fractions import Fraction
from typing import Any

import regex
from bs4 import Tag
from pydantic import AnyUrl, TypeAdapter, ValidationError
from werkzeug.datastructures import MultiDict

from webapp.forms import Field

# From the HTML standard: a valid floating-point number, a valid e-mail address.
NUMBER = regex.compile(r"-?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
LABEL = "[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
EMAIL = regex.compile(rf"[a-zA-Z0-9.!#$%&'*+\/=?^_`{{|}}~-]+@{LABEL}(?:\.{LABEL})*")
DATES: dict[str, Any] = {"date": date, "time": time, "datetime-local": datetime}
URL = TypeAdapter(AnyUrl)


def sent_by(form: Tag) -> MultiDict[str, str]:
    """Return the values that a browser submits for an unchanged form, without files."""
    sent: MultiDict[str, str] = MultiDict()
    for control in form.select("input[name], textarea[name], select[name]"):
        name, kind = str(control["name"]), control.get("type")
        if control.name == "select":
            chosen = control.select_one("option[selected]") or control.select_one("option")
            sent.add(name, str(chosen["value"]) if chosen else "")
        elif control.name == "textarea":
            sent.add(name, control.text.removeprefix("\n"))
        elif kind != "file" and (kind not in ("checkbox", "radio") or control.has_attr("checked")):
            value = str(control.get("value", "on" if kind in ("checkbox", "radio") else ""))
            sent.add(name, value if kind == "hidden" else value.replace("\r", "").replace("\n", ""))
    return sent


def lets_through(field: Field, text: str) -> bool:
    """Return whether the attributes of a field's input allow a browser to submit a text."""
    if text == "":
        return not field.required
    if "\x00" in text:
        return False  # no keyboard has it
    if field.choices:
        return field.kind == "search" or text in {choice.text for choice in field.choices}
    attributes = field.attributes
    units = len(text.encode("utf-16-le")) // 2
    if not attributes.get("minlength", 0) <= units <= attributes.get("maxlength", units):
        return False
    return _is_of_its_type(field, text)


def _is_of_its_type(field: Field, text: str) -> bool:
    kind = field.input_type
    if kind == "number":
        return bool(NUMBER.fullmatch(text)) and math.isfinite(float(text)) and _is_in_range(field, text)
    if kind in DATES:
        return _is_moment(field, text)
    if kind == "email":
        return bool(EMAIL.fullmatch(text))
    return kind != "url" or _is_url(text)


def _is_in_range(field: Field, text: str) -> bool:
    number, attributes = Fraction(text), field.attributes
    least, most, step = (attributes.get(name) for name in ("min", "max", "step"))
    if (least is not None and number < Fraction(str(least))) or (most is not None and number > Fraction(str(most))):
        return False
    base = least if least is not None else field.default if field.default is not None else 0
    return step == "any" or (number - Fraction(str(base))) % Fraction(str(step)) == 0


def _is_moment(field: Field, text: str) -> bool:
    try:
        read = DATES[field.input_type].fromisoformat
        moment = read(text)
    except ValueError:
        return False
    in_form = {"date": r"\d{4}-\d\d-\d\d", "time": r"\d\d:\d\d(:\d\d(\.\d{1,3})?)?"}
    in_form["datetime-local"] = f"{in_form['date']}[T ]{in_form['time']}"
    least, most = (read(field.attributes[end]) if end in field.attributes else moment for end in ("min", "max"))
    return bool(regex.fullmatch(in_form[field.input_type], text, regex.ASCII)) and least <= moment <= most


def _is_url(text: str) -> bool:
    try:
        return bool(URL.validate_python(text))
    except ValidationError:
        return False
