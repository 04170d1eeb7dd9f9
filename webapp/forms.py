"""A task's parameter model as a form: fields to render, and what was posted as parameters or errors."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from jobs import Task, TaskError

# Beyond this a browser's number field rounds; such integers get a text field that accepts digits.
LARGEST_EXACT_NUMBER = 2**53

KINDS = {"integer": "integer", "number": "number", "boolean": "switch", "string": "text"}
CONSTRAINTS = {
    "minimum": "min",
    "maximum": "max",
    "minLength": "minlength",
    "maxLength": "maxlength",
    "pattern": "pattern",
}

# A slider of a number that is not a whole one goes through its range in so many steps, or up to ten times as many.
SLIDER_STEPS = 100

# What pydantic's errors are called, in words for somebody who fills in a form.
MESSAGES = {
    "missing": "Fill this in.",
    "int_parsing": "Enter a whole number.",
    "int_type": "Enter a whole number.",
    "int_from_float": "Enter a whole number.",
    "int_parsing_size": "This number is too long.",
    "float_parsing": "Enter a number.",
    "float_type": "Enter a number.",
    "finite_number": "Enter a finite number.",
    "greater_than": "Must be greater than {gt}.",
    "greater_than_equal": "Must be {ge} or more.",
    "less_than": "Must be less than {lt}.",
    "less_than_equal": "Must be {le} or less.",
    "multiple_of": "Must be a multiple of {multiple_of}.",
    "string_too_short": "Enter at least {min_length} characters.",
    "string_too_long": "Enter at most {max_length} characters.",
    "string_pattern_mismatch": "This is not in the expected form.",
    "literal_error": "Choose one of these.",
    "enum": "Choose one of these.",
    "date_parsing": "Enter a date, such as 2026-01-31.",
    "date_from_datetime_parsing": "Enter a date, such as 2026-01-31.",
}


@dataclass(frozen=True)
class Field:
    """One parameter as a form shows it; `kind` names the template that renders it, `slider` has its range and step."""

    name: str
    label: str
    kind: str
    help: str = ""
    required: bool = True
    default: Any = None
    choices: tuple[tuple[str, Any], ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)
    slider: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Form:
    """A task's fields with the values and errors of one moment."""

    fields: tuple[Field, ...]
    values: Mapping[str, Any]
    errors: Mapping[str, str] = field(default_factory=dict)


def fields_of(task: Task) -> tuple[Field, ...]:
    """The fields of a task's form. Raises TaskError for a parameter that cannot be shown as one."""
    try:
        return _fields(task.parameters)
    except NoField as error:
        raise TaskError(f"{task.source}: task {task.name!r}: {error}") from None


def blank(task: Task, values: Mapping[str, Any]) -> Form:
    """The form before anything is posted: defaults, or the parameters of an earlier run."""
    fields = fields_of(task)
    defaults = {f.name: f.default for f in fields if f.default is not None}
    given = {f.name: values[f.name] for f in fields if f.name in values}
    return Form(fields, {**defaults, **given})


def read(task: Task, posted: Mapping[str, str]) -> tuple[BaseModel | None, Form]:
    """What was posted, as validated parameters, or None; and the form that shows the same values with the errors."""
    fields = fields_of(task)
    # Browsers send line breaks as two characters and count them as one; here they are one.
    texts = {f.name: posted[f.name].replace("\r\n", "\n") for f in fields if f.name in posted}
    switches = {f.name: f.name in posted for f in fields if f.kind == "switch"}
    values = {**texts, **switches}
    if unkept := {name: _UNKEPT for name, text in texts.items() if "\x00" in text}:
        return None, Form(fields, values, unkept)
    try:
        raw = {f.name: _raw(f, values[f.name]) for f in fields if f.name in values}
        return task.parameters.model_validate(raw), Form(fields, values)
    except ValidationError as error:
        return None, Form(fields, values, _errors(error))


_UNKEPT = "This contains a character that cannot be kept (NUL). Remove it."


class NoField(Exception):
    """No form field shows a parameter of this type."""


@cache
def _fields(model: type[BaseModel]) -> tuple[Field, ...]:
    schema = model.model_json_schema()
    definitions = schema.get("$defs", {})
    required = set(schema.get("required", ()))
    specs = {name: _resolved(spec, definitions) for name, spec in schema.get("properties", {}).items()}
    return tuple(_field(name, spec, name in required) for name, spec in specs.items())


def _field(name: str, spec: Mapping[str, Any], required: bool) -> Field:
    choices = _choices(spec)
    kind = "choice" if choices else _kind(spec)
    if kind is None:
        raise NoField(f"parameter {name!r} has a type that no form field shows")
    attributes = _attributes(kind, spec)
    return Field(
        name=name,
        label=_label(name, spec),
        kind=kind,
        help=spec.get("description", ""),
        required=required or kind in ("integer", "number", "date"),
        default=spec.get("default"),
        choices=choices,
        attributes=attributes,
        slider=_slider(name, kind, attributes) if spec.get("format") == "slider" else {},
    )


def _label(name: str, spec: Mapping[str, Any]) -> str:
    derived = name.replace("_", " ").title()  # pydantic's own title, which is not how a label is written
    title = str(spec.get("title", derived))
    return title if title != derived else name.replace("_", " ").strip().capitalize()


def _resolved(spec: Mapping[str, Any], definitions: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" not in spec:
        return spec
    target = definitions[spec["$ref"].rpartition("/")[2]]
    beside = {key: value for key, value in spec.items() if key != "$ref"}
    plain = {key: value for key, value in target.items() if key not in ("title", "description")}
    return {**plain, **beside}


def _choices(spec: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    values = spec.get("enum", [spec["const"]] if "const" in spec else [])
    return tuple((str(value), value) for value in values)


def _kind(spec: Mapping[str, Any]) -> str | None:
    kind = KINDS.get(spec.get("type", ""))
    if kind == "text":
        return {"date": "date", "long-text": "long_text", None: "text"}.get(spec.get("format"))
    if kind == "integer" and _is_large(spec):
        return "digits"
    return kind


def _is_large(spec: Mapping[str, Any]) -> bool:
    bounds = (spec.get("minimum", 0), spec.get("maximum", 0))
    return any(abs(bound) > LARGEST_EXACT_NUMBER for bound in bounds)


def _attributes(kind: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    if kind == "digits":
        longest = max(len(str(spec.get(end, 0))) for end in ("minimum", "maximum"))
        return {"inputmode": "numeric", "pattern": "-?[0-9]+", "maxlength": longest}
    attributes = {html: spec[key] for key, html in CONSTRAINTS.items() if key in spec}
    if kind == "integer":
        attributes |= {"step": spec.get("multipleOf", 1)}
        attributes |= {"min": spec["exclusiveMinimum"] + 1} if "exclusiveMinimum" in spec else {}
        attributes |= {"max": spec["exclusiveMaximum"] - 1} if "exclusiveMaximum" in spec else {}
    if kind == "number":
        attributes |= {"step": spec.get("multipleOf", "any")}
    return attributes


def _slider(name: str, kind: str, attributes: Mapping[str, Any]) -> dict[str, Any]:
    least, most, step = (attributes.get(key, 0) for key in ("min", "max", "step"))
    if kind not in ("integer", "number") or not {"min", "max"} <= attributes.keys() or least >= most:
        raise NoField(f"parameter {name!r} is a Slider and needs a number's two ends, such as Field(ge=0, le=1)")
    if step == "any":
        step = 10 ** math.floor(math.log10((most - least) / SLIDER_STEPS))
    return {"min": least, "max": most, "step": step}


def _raw(field: Field, value: Any) -> Any:
    if field.kind == "choice":
        return dict(field.choices).get(value, value)
    if field.kind in ("integer", "digits", "number") and isinstance(value, str):
        return value.strip()
    return value


def _errors(error: ValidationError) -> dict[str, str]:
    errors: dict[str, str] = {}
    for detail in error.errors(include_url=False):
        name = str(detail["loc"][0]) if detail["loc"] else ""
        errors.setdefault(name, _message(detail))
    return errors


def _message(detail: ErrorDetails) -> str:
    context = {key: _number(value) for key, value in detail.get("ctx", {}).items()}
    if detail["type"] == "value_error":
        return str(context.get("error", detail["msg"]))
    if detail["input"] == "" and detail.get("ctx", {}).get("min_length", 1) == 1:
        return MESSAGES["missing"]
    template = MESSAGES.get(detail["type"])
    return template.format(**context) if template else f"{detail['msg']}."


def _number(value: Any) -> Any:
    if isinstance(value, date) or not isinstance(value, int | float) or isinstance(value, bool):
        return value
    if isinstance(value, float) and not (math.isfinite(value) and value.is_integer()):
        return value
    return f"{int(value):,}"
