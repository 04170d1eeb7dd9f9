"""A task's parameter model as fields: what each is called, which template shows it, what it accepts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from pydantic import BaseModel

from jobs import Task, TaskError
from webapp.forms.attributes import attributes_of, is_large, slider_of
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
# What a browser calls the inputs that are not for text.
INPUT_TYPES = {
    "integer": "number",
    "number": "number",
    "decimal": "number",
    "date": "date",
    "time": "time",
    "moment": "datetime-local",
    "wall_clock": "datetime-local",
    "email": "email",
    "url": "url",
}
# Of these an empty text is a value; of all others it is nothing.
TEXTS = frozenset({"text", "long_text"})


@dataclass(frozen=True)
class Field:
    """One parameter as a form shows it; `kind` names the template that renders it, `slider` has its range and step."""

    name: str
    label: str
    kind: str
    help: str = ""
    required: bool = True
    optional: bool = False  # left empty it is None
    default: Any = None
    examples: tuple[str, ...] = ()
    unit: str = ""
    choices: tuple[tuple[str, Any], ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)
    slider: Mapping[str, Any] = field(default_factory=dict)

    @property
    def input_type(self) -> str:
        """What kind of input a browser shows for it."""
        return INPUT_TYPES.get(self.kind, "text")


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
    choices = _choices(spec)
    kind = "choice" if choices else _kind(spec)
    if kind is None:
        raise NoField(f"parameter {name!r} has a type that no form field shows; docs/tasks.md lists those that do")
    attributes, optional = attributes_of(kind, spec), spec.get("nullable", False)
    return Field(
        name=name,
        label=_label(name, spec),
        kind=kind,
        help=spec.get("description", ""),
        required=not optional and (required or kind not in TEXTS | {"switch", "choice"}),
        optional=optional,
        default=spec.get("default"),
        examples=tuple(str(example) for example in spec.get("examples", ())),
        unit=spec.get("unit", ""),
        choices=choices,
        attributes=attributes,
        slider=_slider(name, spec, attributes) if spec.get("format") == "slider" else {},
    )


def _slider(name: str, spec: Mapping[str, Any], attributes: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return slider_of(spec, attributes)
    except ValueError as error:
        raise NoField(f"parameter {name!r} is a Slider and needs {error}") from None


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
    if spec.get("type") == "string" and "contentMediaType" not in spec:
        return FORMATS.get(spec.get("format"))
    return "digits" if kind == "integer" and is_large(spec) else kind
