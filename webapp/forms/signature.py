"""Form fields from a task's signature: labels, kinds and limits."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC
from functools import cache
from typing import Any

from pydantic import BaseModel

from jobs.authoring import Task, TaskError
from jobs.values import label_of
from webapp.forms.attributes import attributes_of, is_large, slider_of
from webapp.forms.choices import choices_of, kind_of
from webapp.forms.fields import CHOICES, COMPOUNDS, FILES, TEXTS, Choice, Field, Missing, Variant
from webapp.forms.json_schema import NO_FIELD, OTHER_TYPE, NoField, part_of, schema_of
from webapp.forms.posting import text
from webapp.forms.texts import InvalidText, value_of

Spec = Mapping[str, Any]

# Field kinds by schema type, and for strings by format.
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
    "password": "secret",
}
# Kinds that can be parsed from JSON's text keys.
KEYS = frozenset({"text", "integer", "digits", "date", "uuid", "email"})
WITHOUT_TEXT = COMPOUNDS | FILES | {"switch", "checks"}
NO_DISCRIMINATOR = "is a union without a discriminator. Use one type, or models with a discriminator."
ORDINALS = ("First", "Second", "Third")


def fields_of(task: Task) -> tuple[Field, ...]:
    """Return the fields of a task's form. Raises TaskError for a parameter without a matching field."""
    try:
        return _fields(task.parameters)
    except NoField as error:
        raise TaskError(f"{task.source}: task {task.name!r}: {error}") from None


@cache
def _fields(model: type[BaseModel]) -> tuple[Field, ...]:
    try:
        schema = schema_of(model)
    except Exception as error:
        raise NoField(f"parameter {_first_without_schema(model)!r} {_unusable(error)}") from error
    if "$ref" in schema:  # a parameter of the type Self
        raise NoField(f"parameter {next(iter(model.model_fields))!r} {NO_FIELD}")
    return fields_in(schema)


def fields_in(schema: Spec) -> tuple[Field, ...]:
    """Return the fields for the schema of a parameter model. Raises NoField for a part without a matching field."""
    return _arranged(tuple(_named(Signature(schema.get("$defs", {})), schema)))


def _named(signature: "Signature", schema: Spec) -> Iterator[Field]:
    for name, spec in schema.get("properties", {}).items():
        try:
            yield signature.field(name, spec, name in schema.get("required", ()))
        except NoField as error:
            raise NoField(f"parameter {name!r} {error}") from None
        except Exception as error:
            raise NoField(f"parameter {name!r} {_unusable(error)}") from error


def _unusable(error: Exception) -> str:
    """Return the words for a type whose schema is not as types have it."""
    said = (str(error) or repr(error)).splitlines()[0]
    return f"has a type that no form field can be made for ({type(error).__name__}: {said}). {OTHER_TYPE}"


def _first_without_schema(model: type[BaseModel]) -> str:
    """Return the first parameter with which a model has no schema."""
    names = list(model.model_fields)
    for count, name in enumerate(names, 1):
        try:
            schema_of(part_of(model, names[:count]))
        except Exception:
            return name
    return names[-1]


@dataclass(frozen=True)
class Signature:
    """A builder of fields from schema parts. `within` holds the enclosing models, to detect recursion."""

    definitions: Mapping[str, Spec]
    within: frozenset[str] = frozenset()

    def field(self, name: str, spec: Spec, required: bool = True) -> Field:
        """Return the field of a schema part. Raises NoField for an unsupported type."""
        spec, inside = self._resolved(_with_item_limits(spec))
        # A key that may be missing, or a default that only the model can make: both are an empty field.
        omittable = not required and spec.keys().isdisjoint(("default", "factory"))
        if omittable:
            spec = {**spec, "nullable": True}
        kind, choices = inside._kind(spec)
        attributes, optional = attributes_of(kind, spec), spec.get("nullable", False)
        field = Field(
            name=name,
            label=_label(name, spec),
            kind=kind,
            help=spec.get("description", ""),
            required=not optional and (required or kind not in TEXTS | CHOICES) and kind not in ("switch", "checks"),
            optional=optional,
            empty=Missing if omittable else None,
            default=spec.get("default"),
            factory=spec.get("factory"),
            unit=spec.get("unit", ""),
            group=spec.get("group", ""),
            advanced=spec.get("advanced", False),
            choices=choices,
            attributes=attributes,
            slider=slider_of(spec, attributes) if spec.get("slider") else {},
            accept=tuple(spec.get("accept", ())),
            max_bytes=spec.get("maxBytes"),
        )
        if kind in FILES and (field.default or field.factory):
            raise NoField("has a file as its default. Use File | None = None instead.")
        if kind == "secret" and (field.default or field.factory):
            raise NoField("has a secret as its default. Use SecretStr | None = None instead.")
        return inside._with_parts(replace(field, examples=_examples(field, spec)), spec)

    def _resolved(self, spec: Spec) -> tuple[Spec, "Signature"]:
        if "$ref" not in spec:
            return spec, self
        name = spec["$ref"].rpartition("/")[2]
        if name in self.within:
            raise NoField(f"contains {name} within {name}. Use a model that does not contain itself.")
        plain = {key: value for key, value in self.definitions[name].items() if key not in ("title", "description")}
        beside = {key: value for key, value in spec.items() if key != "$ref"}
        return replace(self, within=self.within | {name})._resolved({**plain, **beside})

    def _kind(self, spec: Spec) -> tuple[str, tuple[Choice, ...]]:
        if "items" in spec and spec["items"].get("format") == "file":
            return "files", ()
        if "items" in spec:
            choices = choices_of(self._resolved(spec["items"])[0])
            return ("checks", choices) if choices else ("rows", ())
        if choices := choices_of(spec):
            return kind_of(choices), choices
        return _kind(spec), ()

    def _with_parts(self, field: Field, spec: Spec) -> Field:
        if field.kind == "group":
            parts = spec.get("properties", {}).items()
            children = tuple(self.field(name, part, name in spec.get("required", ())) for name, part in parts)
            return _or_none(replace(field, children=_arranged(children)))
        if field.kind == "tuple":
            children = tuple(self.field(str(n), _numbered(n, part)) for n, part in enumerate(spec["prefixItems"]))
            return _or_none(replace(field, children=children))
        if field.kind == "rows":
            item, least, most = self.field("", spec["items"]), spec.get("minItems", 0), spec.get("maxItems")
            return replace(field, item=item, least=least, most=most)
        if field.kind == "files":
            least = spec.get("minItems", 0)
            return replace(field, required=least > 0 and not field.optional, least=least)
        if field.kind == "pairs":
            least, most = spec.get("minProperties", 0), spec.get("maxProperties")
            return replace(field, item=self._pair(spec), least=least, most=most)
        if field.kind == "variant":
            tags = spec["discriminator"]["mapping"].items()
            tag_name = spec["discriminator"]["propertyName"]
            return replace(field, variants=tuple(self._variant(tag, tag_name, {"$ref": ref}) for tag, ref in tags))
        return field

    def _pair(self, spec: Spec) -> Field:
        key = self.field("key", {"title": "Name", **spec.get("keys", {"type": "string"})})
        if key.kind not in KEYS | CHOICES or not all(isinstance(choice.value, str) for choice in key.choices):
            raise NoField("has dictionary keys of another type than strings, integers and dates. Use one of these.")
        value = self.field("value", {"title": "Value", **spec["additionalProperties"]})
        return Field(name="", label="", kind="pair", children=(replace(key, required=True), value))

    def _variant(self, tag: str, tag_name: str, ref: Spec) -> Variant:
        spec, _inside = self._resolved(ref)
        tags = choices_of(self._resolved(spec["properties"][tag_name])[0])
        value = next(choice.value for choice in tags if choice.text == tag)
        whole = self.field("", ref)
        rest = tuple(child for child in whole.children if child.name != tag_name)
        return Variant(tag, label_of(tag), replace(whole, children=rest), {tag_name: value})


def _arranged(fields: tuple[Field, ...]) -> tuple[Field, ...]:
    """Order fields by section, each at the place of its first field, with collapsed ones last."""
    sections = list(dict.fromkeys(field.section for field in fields if field.group or field.advanced))
    first = {section: next(n for n, field in enumerate(fields) if field.section == section) for section in sections}
    places = {field.name: first.get(field.section, n) for n, field in enumerate(fields)}
    return tuple(sorted(fields, key=lambda field: (field.advanced, places[field.name])))


def _with_item_limits(spec: Spec) -> Spec:
    """Copy the limits of a list's files to the list, which is a single field."""
    item = spec.get("items", {})
    return {**{key: item[key] for key in ("accept", "maxBytes") if key in item}, **spec}


def _or_none(field: Field) -> Field:
    """Wrap an optional compound field in a variant, because it has no input that could be left empty."""
    if not field.optional:
        return field
    given = replace(field, optional=False, default=None)
    return replace(field, kind="variant", children=(), variants=(Variant("given", field.label, given),))


def _numbered(number: int, spec: Spec) -> Spec:
    word = ORDINALS[number] if number < len(ORDINALS) else f"{number + 1}th"
    return {"title": word, **spec}


def _label(name: str, spec: Spec) -> str:
    derived = name.replace("_", " ").title()  # pydantic's own title, which capitalises every word
    title = str(spec.get("title", derived))
    return title if title != derived else label_of(name)


def _examples(field: Field, spec: Spec) -> tuple[str, ...]:
    """Return the examples as they are entered or chosen; fields without a text input have none."""
    if field.kind in WITHOUT_TEXT:
        return ()
    return tuple(_example(field, example) for example in spec.get("examples", ()))


def _example(field: Field, example: Any) -> str:
    if choice := field.holding(example):
        return choice.label
    try:
        value_of(field.kind, str(example), UTC)
    except InvalidText:  # as JSON writes it, such as PT1H
        shown = text(field, example)
        return shown.replace("T", " ") if field.kind in ("moment", "wall_clock") else shown
    return str(example)


def _kind(spec: Spec) -> str:
    if "refused" in spec:
        raise NoField(spec["refused"])
    if spec.get("format") == "file":
        return "file"
    if spec.get("format") == "password" and not spec.get("writeOnly"):
        raise NoField("is a str with the format password, which would be stored in clear. Use SecretStr instead.")
    kind = FORMATS.get(spec.get("format")) if spec.get("type") == "string" else KINDS.get(spec.get("type", ""))
    if "discriminator" in spec:
        kind = "variant"
    elif "prefixItems" in spec and spec.get("maxItems") == len(spec["prefixItems"]):
        kind = "tuple"
    elif spec.get("type") == "object":
        kind = "group" if "properties" in spec else "pairs" if spec.get("additionalProperties") is not True else None
    if kind is None or "contentMediaType" in spec:
        raise NoField(NO_DISCRIMINATOR if "anyOf" in spec or "oneOf" in spec else NO_FIELD)
    return "digits" if kind == "integer" and is_large(spec) else kind
