"""A task's signature as fields: what each parameter is called, which template shows it, what it accepts."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel

from jobs import Task, TaskError
from webapp.forms.attributes import attributes_of, is_large, slider_of
from webapp.forms.choices import choices_of, kind_of
from webapp.forms.fields import CHOICES, TEXTS, Choice, Field
from webapp.forms.schema import NoField, schema_of

# By the schema's type, and for texts by its format.
KINDS = {"integer": "integer", "number": "number", "boolean": "switch"}
FORMATS: dict[str | None, str] = {
    None: "text",
    "long-text": "long_text",
    "email": "email",
    "uri": "url",
    **{f"uuid{version}": "uuid" for version in ("", *range(1, 9))},
    "date": "date",
    "time": "time",
    "date-time": "moment",
    "naive-date-time": "wall_clock",
    "duration": "duration",
    "decimal": "decimal",
}


def fields_of(task: Task) -> tuple[Field, ...]:
    """The fields of a task's form. Raises TaskError for a parameter that cannot be shown as one."""
    try:
        return _fields(task.parameters)
    except NoField as error:
        raise TaskError(f"{task.source}: task {task.name!r}: {error}") from None


@cache
def _fields(model: type[BaseModel]) -> tuple[Field, ...]:
    schema = schema_of(model)
    definitions = schema.get("$defs", {})
    required = set(schema.get("required", ()))
    specs = {name: _resolved(spec, definitions) for name, spec in schema.get("properties", {}).items()}
    return tuple(_field(name, spec, name in required) for name, spec in specs.items())


def _field(name: str, spec: Mapping[str, Any], required: bool) -> Field:
    try:
        return _build(name, spec, required)
    except NoField as error:
        raise NoField(f"parameter {name!r} {error}") from None


def _build(name: str, spec: Mapping[str, Any], required: bool) -> Field:
    choices = choices_of(spec.get("items", {}) if spec.get("type") == "array" else spec)
    kind = _kind(spec, choices)
    attributes, optional = attributes_of(kind, spec), spec.get("nullable", False)
    return Field(
        name=name,
        label=_label(name, spec),
        kind=kind,
        help=spec.get("description", ""),
        required=not optional and (required or kind not in TEXTS | CHOICES) and kind not in ("switch", "checks"),
        optional=optional,
        default=spec.get("default"),
        examples=tuple(str(example) for example in spec.get("examples", ())),
        unit=spec.get("unit", ""),
        choices=choices,
        attributes=attributes,
        slider=slider_of(spec, attributes) if spec.get("format") == "slider" else {},
    )


def _label(name: str, spec: Mapping[str, Any]) -> str:
    derived = name.replace("_", " ").title()  # pydantic's own title, which is not how a label is written
    title = str(spec.get("title", derived))
    return title if title != derived else name.replace("_", " ").strip().capitalize()


def _resolved(spec: Mapping[str, Any], definitions: Mapping[str, Any]) -> Mapping[str, Any]:
    if "items" in spec:
        spec = {**spec, "items": _resolved(spec["items"], definitions)}
    if "$ref" not in spec:
        return spec
    target = definitions[spec["$ref"].rpartition("/")[2]]
    beside = {key: value for key, value in spec.items() if key != "$ref"}
    plain = {key: value for key, value in target.items() if key not in ("title", "description")}
    return {**plain, **beside}


def _kind(spec: Mapping[str, Any], choices: tuple[Choice, ...]) -> str:
    if choices:
        return "checks" if spec.get("type") == "array" else kind_of(choices)
    kind = KINDS.get(spec.get("type", ""))
    if spec.get("type") == "string" and "contentMediaType" not in spec:
        kind = FORMATS.get(spec.get("format"))
    if kind is None:
        raise NoField("has a type that no form field shows; docs/tasks.md lists those that have one")
    return "digits" if kind == "integer" and is_large(spec) else kind
