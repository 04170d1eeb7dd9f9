"""JSON schemas of parameter models, extended with details that forms need."""

import warnings
from collections.abc import Collection, Mapping
from datetime import date, time
from enum import Flag
from functools import partial
from typing import Any

from pydantic import BaseModel, create_model
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import core_schema, to_jsonable_python

from jobs.authoring import SecretSchema, is_typed_secret
from jobs.values import label_of

OTHER_TYPE = "docs/tasks.md lists the types that have one."
NO_FIELD = f"has a type without a form field. {OTHER_TYPE}"

# Types of JSON whose values are entered as one line of text.
ONE_LINE = frozenset({"string", "integer", "number", "boolean"})
BOUNDS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}


class NoField(Exception):
    """A parameter has no form field. The message completes "parameter x …" and says what to do."""


def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """Return the extended schema of a model. Unsupported parts give the reason in `refused`."""
    return model.model_json_schema(schema_generator=FormSchema)


def part_of(model: type[BaseModel], names: Collection[str]) -> type[BaseModel]:
    """Return a model with only these of a model's fields."""
    fields: dict[str, Any] = {name: (one.annotation, one) for name, one in model.model_fields.items() if name in names}
    with warnings.catch_warnings():  # the whole model has given them
        warnings.simplefilter("ignore")
        return create_model(model.__name__, __config__=model.model_config, __module__=model.__module__, **fields)


class FormSchema(SecretSchema):
    """A schema generator that adds decimal formats, date and time bounds, and `nullable`."""

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> JsonSchemaValue:
        digits = {"maxDigits": schema.get("max_digits"), "decimalPlaces": schema.get("decimal_places")}
        step = {"multipleOf": schema.get("multiple_of")}
        return {"type": "string", "format": "decimal", **_bounds(schema), **_texts({**digits, **step})}

    def date_schema(self, schema: core_schema.DateSchema) -> JsonSchemaValue:
        return {**super().date_schema(schema), **_bounds(schema)}

    def time_schema(self, schema: core_schema.TimeSchema) -> JsonSchemaValue:
        return {**super().time_schema(schema), **_bounds(schema)}

    def datetime_schema(self, schema: core_schema.DatetimeSchema) -> JsonSchemaValue:
        kind = "naive-date-time" if schema.get("tz_constraint") == "naive" else "date-time"
        return {**super().datetime_schema(schema), "format": kind, **_bounds(schema)}

    def timedelta_schema(self, schema: core_schema.TimedeltaSchema) -> JsonSchemaValue:
        return {"type": "string", "format": "duration"}

    def enum_schema(self, schema: core_schema.EnumSchema) -> JsonSchemaValue:
        if issubclass(schema["cls"], Flag):
            return {"refused": "is a Flag, whose combinations have no form field. Use set[...] of an Enum instead."}
        members = list(dict.fromkeys(schema["members"]))  # without the second names of values
        if not all(isinstance(member.value, str | int | float) for member in members):
            return {"refused": "is an Enum with values that cannot be stored. Use strings or numbers as its values."}
        labels = [member.value if isinstance(member.value, str) else label_of(member.name) for member in members]
        return {**super().enum_schema(schema), "enum": [member.value for member in members], "labels": labels}

    def literal_schema(self, schema: core_schema.LiteralSchema) -> JsonSchemaValue:
        values = [value for value in schema["expected"] if value is not None]
        if any(type(value) not in (str, int, bool) for value in values):
            return {"refused": "is a Literal of other values than texts and numbers. Use these, or an Enum."}
        found = super().literal_schema(core_schema.literal_schema(values))
        return {**found, "nullable": True} if None in schema["expected"] else found

    def generator_schema(self, schema: core_schema.GeneratorSchema) -> JsonSchemaValue:
        return {"refused": "can be read only once, so it cannot be stored. Use list[...] instead."}

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        found = super().default_schema(schema)
        if "default_factory" not in schema or schema.get("default_factory_takes_data"):
            return found
        # The factory is called for each form, because its value may depend on the day.
        factory: Any = schema["default_factory"]
        return {**found, "factory": lambda: to_jsonable_python(factory())}

    def complex_schema(self, schema: core_schema.ComplexSchema) -> JsonSchemaValue:
        return {"refused": "is a complex number, which has no form field. Use two numbers instead."}

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        keys = schema.get("keys_schema", core_schema.any_schema())
        return {**super().dict_schema(schema), "keys": self.generate_inner(keys)}

    def tagged_union_schema(self, schema: core_schema.TaggedUnionSchema) -> JsonSchemaValue:
        if not isinstance(schema["discriminator"], str):
            return {"refused": "is a union whose discriminator is a function. Use the name of a field instead."}
        return super().tagged_union_schema(schema)

    def model_field_schema(self, schema: core_schema.ModelField) -> JsonSchemaValue:
        if schema.get("validation_alias"):
            return {"refused": "has an alias, so its stored value could not be read again. For a label, use a title."}
        return super().model_field_schema(schema)

    def json_or_python_schema(self, schema: core_schema.JsonOrPythonSchema) -> JsonSchemaValue:
        found = super().json_or_python_schema(schema)
        if not is_typed_secret(schema):
            return found
        if found.get("type") not in ONE_LINE or "enum" in found or "const" in found:
            return {"refused": "is a Secret of a type without a single-line field. Use a string, a number or a date."}
        # A password input has lengths, but no minimum or maximum.
        kept = {"format", "writeOnly", "minLength", "maxLength"}
        return {"type": "string", **{key: value for key, value in found.items() if key in kept}}

    def function_after_schema(self, schema: core_schema.AfterValidatorFunctionSchema) -> JsonSchemaValue:
        # pydantic adds the limits of a Field as partial functions of its own, which fail with every Secret.
        limit = schema["function"]["function"]
        is_limit = isinstance(limit, partial) and limit.func.__module__.startswith("pydantic.")
        if is_limit and is_typed_secret(schema["schema"]):
            return {"refused": "has limits outside its Secret. Write them inside: Secret[Annotated[int, Field(ge=1)]]."}
        return super().function_after_schema(schema)

    def chain_schema(self, schema: core_schema.ChainSchema) -> JsonSchemaValue:
        first, last = schema["steps"][0], schema["steps"][-1]
        if last["type"] == "function-wrap" and self.generate_inner(first).get("format") == "password":
            return {"refused": "has a constraint that secrets cannot have. Use lengths or an AfterValidator."}
        return super().chain_schema(schema)

    def handle_invalid_for_json_schema(self, schema: core_schema.CoreSchema, error_info: str) -> JsonSchemaValue:
        return {"refused": NO_FIELD}

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return {**self.generate_inner(schema["schema"]), "nullable": True}


def _bounds(schema: Mapping[str, Any]) -> dict[str, str]:
    return _texts({name: schema.get(key) for key, name in BOUNDS.items()})


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    """Return the values that are set as text, which is exact and stable across restarts."""
    given = {name: value for name, value in values.items() if value is not None}
    return {name: value.isoformat() if isinstance(value, date | time) else str(value) for name, value in given.items()}
