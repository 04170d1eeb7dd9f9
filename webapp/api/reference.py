"""The description of the API in the words of a page: operations, parameters and their types."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from webapp.api.schemas import Schema

JSON = "application/json"
DEEPEST = 4
WAITING = {"wait", "version"}
# What a schema demands of a value, in the order in which it is said.
LIMITS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "more than {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "less than {}",
    "multipleOf": "a multiple of {}",
    "minLength": "length at least {}",
    "maxLength": "length at most {}",
    "pattern": "matches {}",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "uniqueItems": "no item twice",
}


class Parameter(NamedTuple):
    """A parameter or a property, and where it is: in the path, the query, a header, the body, or in another one."""

    name: str
    place: str
    required: bool
    type: str
    limits: str
    description: str
    choices: tuple[str, ...] = ()
    default: str = ""


class Answer(NamedTuple):
    """A response: its status, its meaning, and the name of the schema that it follows."""

    status: str
    description: str
    schema: str


@dataclass(frozen=True)
class Operation:
    """A request that the API takes."""

    id: str
    method: str
    path: str
    summary: str
    description: str
    scopes: tuple[str, ...]
    parameters: list[Parameter]
    body: list[Parameter]
    body_type: str
    example: str
    answers: list[Answer] = field(default_factory=list)

    @property
    def can_be_tried(self) -> bool:
        """Return whether the page has a form for it: not for what needs no rights, nor for uploads."""
        return bool(self.scopes) and self.body_type in ("", JSON)

    @property
    def fields(self) -> list[Parameter]:
        """Return what the form asks for beside the body. A page is no place to wait."""
        return [one for one in self.parameters if one.name not in WAITING]


def operations(document: Schema) -> dict[str, Operation]:
    """Return the operations of a description by their ids."""
    schemas = document["components"]["schemas"]
    found = (
        _operation(method, path, one, schemas)
        for path, item in document["paths"].items()
        for method, one in item.items()
    )
    return {operation.id: operation for operation in found}


def objects(document: Schema) -> dict[str, list[Parameter]]:
    """Return the properties of the objects in answers, by name. Parts of tasks' parameters have names with a dot."""
    schemas = document["components"]["schemas"]
    named = {name: _properties(schema, schemas, "") for name, schema in schemas.items() if "." not in name}
    return {name: rows for name, rows in named.items() if rows}


def _operation(method: str, path: str, given: Schema, schemas: Schema) -> Operation:
    [(body_type, content)] = given.get("requestBody", {}).get("content", {"": {}}).items()
    body = _resolved(content.get("schema", {}), schemas)
    return Operation(
        given["operationId"],
        method.upper(),
        path,
        given["summary"],
        given["description"],
        tuple(scope for one in given["security"] for scope in one["token"]),
        [_parameter(one, schemas) for one in given["parameters"]],
        _properties(body, schemas, "body"),
        body_type,
        json.dumps(content.get("example", _skeleton(body)), indent=2, ensure_ascii=False) if body else "",
        [_answer(status, one) for status, one in sorted(given["responses"].items())],
    )


def _skeleton(schema: Schema) -> dict[str, Any]:
    """Return an object with the parameters that must be given, to be filled in."""
    given = {name: schema["properties"][name] for name in schema.get("required", ())}
    return {name: {"$file": {"sha256": ""}} if _is_file(one) else one.get("default") for name, one in given.items()}


def _is_file(schema: Schema) -> bool:
    return str(schema.get("$ref", "")).endswith("/FileReference")


def _answer(status: str, given: Schema) -> Answer:
    [(media_type, content)] = given.get("content", {"": {}}).items()
    name = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
    return Answer(status, given["description"], name or media_type)


def _parameter(given: Schema, schemas: Schema) -> Parameter:
    schema = {"description": given.get("description", ""), **given["schema"]}
    return _described(given["name"], given["in"], given.get("required", False), schema, schemas)


def _properties(schema: Schema, schemas: Schema, place: str) -> list[Parameter]:
    required = schema.get("required", ())
    found = schema.get("properties", {}).items()
    return [_described(name, place, name in required, one, schemas) for name, one in found]


def _described(name: str, place: str, required: bool, schema: Schema, schemas: Schema) -> Parameter:
    default = json.dumps(schema["default"], ensure_ascii=False) if "default" in schema else ""
    whole = _resolved(schema, schemas)
    choices = tuple(map(str, whole.get("enum", ())))
    limits = ", ".join(_limits(schema, schemas))
    about = schema.get("description") or whole.get("description", "")
    return Parameter(name, place, required, type_of(schema, schemas), limits, about, choices, default)


def _resolved(schema: Schema, schemas: Schema) -> Schema:
    found: Schema = schemas[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    return found


def _limits(schema: Schema, schemas: Schema) -> Iterator[str]:
    """Yield what is demanded of a value, or of one of its alternatives."""
    whole = _resolved(schema, schemas)
    yield from (words.format(whole[name]) for name, words in LIMITS.items() if name in whole)
    for part in (*whole.get("anyOf", ()), *whole.get("oneOf", ())):
        if "properties" not in _resolved(part, schemas):
            yield from _limits(part, schemas)


def type_of(schema: Schema, schemas: Schema, depth: int = 0) -> str:
    """Return the type of a schema's values in words."""
    whole = _resolved(schema, schemas)
    if "enum" in whole:
        return "one of " + ", ".join(json.dumps(value, ensure_ascii=False) for value in whole["enum"])
    if "const" in whole:
        return json.dumps(whole["const"], ensure_ascii=False)
    if alternatives := whole.get("anyOf") or whole.get("oneOf"):
        return " or ".join(dict.fromkeys(type_of(one, schemas, depth + 1) for one in alternatives))
    if isinstance(whole.get("type"), list):
        return " or ".join(type_of({**whole, "type": one}, schemas, depth) for one in whole["type"])
    shape = {"array": _array, "object": _object}.get(whole.get("type", ""), _single)
    return shape(whole, schemas, depth)


def _single(schema: Schema, _schemas: Schema, _depth: int) -> str:
    kind, form = schema.get("type", "any value"), schema.get("format")
    return f"{kind} ({form})" if form and kind != "null" else str(kind)


def _array(schema: Schema, schemas: Schema, depth: int) -> str:
    if "prefixItems" in schema:
        return f"array of {' and '.join(type_of(one, schemas, depth + 1) for one in schema['prefixItems'])}"
    return f"array of {type_of(schema['items'], schemas, depth + 1)}" if "items" in schema else "array"


def _object(schema: Schema, schemas: Schema, depth: int) -> str:
    inside: Mapping[str, Any] = schema.get("properties", {})
    if inside and depth < DEEPEST:
        return f"{{{', '.join(f'{name}: {type_of(one, schemas, depth + 1)}' for name, one in inside.items())}}}"
    others = schema.get("additionalProperties")
    return f"object of {type_of(others, schemas, depth + 1)}" if isinstance(others, dict) else "object"
