"""Secret parameters: a run that has any is stored as two documents.

The whole document holds the secrets in clear and is stored encrypted; only the run's task and its owner's form read it.
The shown document has a mark in place of each secret, and is what pages and the file store read.
"""

from collections.abc import Collection, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, NamedTuple

from pydantic import BaseModel, RootModel, Secret, SecretBytes, SecretStr
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema, to_jsonable_python

from jobs.authoring.context import FinalFailure
from jobs.authoring.file_parameters import File
from jobs.authoring.secrets import HIDDEN

MARK = {"$sealed": HIDDEN}
SECRETS = (Secret, SecretStr, SecretBytes)


class LostSecret(FinalFailure):
    """Parameters with a secret that none of the current keys can decrypt."""

    def __init__(self) -> None:
        super().__init__("A secret parameter cannot be decrypted because SECRET_KEY has changed. Start a new run.")


class Written(NamedTuple):
    """Parameters as JSON: the shown and the whole document, and the text of each secret. Without secrets both agree."""

    shown: dict[str, Any]
    whole: dict[str, Any]
    secrets: list[str]


class SecretSchema(GenerateJsonSchema):
    """A JSON schema generator that describes a `Secret[...]` as a password, as pydantic describes a SecretStr."""

    def json_or_python_schema(self, schema: core_schema.JsonOrPythonSchema) -> JsonSchemaValue:
        found = super().json_or_python_schema(schema)
        return {**found, "format": "password", "writeOnly": True} if is_typed_secret(schema) else found


def is_typed_secret(schema: Mapping[str, Any]) -> bool:
    """Return whether a core schema is that of a `Secret[...]`. Only the function that validates one identifies it."""
    validator = schema.get("python_schema", {}).get("function", {}).get("function")
    return getattr(validator, "__qualname__", "").startswith(Secret.__get_pydantic_core_schema__.__qualname__)


def written(parameters: BaseModel) -> Written:
    """Return the parameters as JSON, without computed fields."""
    secrets: list[str] = []
    shown = _shown(parameters, secrets)
    if not secrets:
        plain = parameters.model_dump(mode="json", exclude_computed_fields=True)
        return Written(plain, plain, secrets)
    return Written(_json(shown), _json(_revealed(parameters)), secrets)


def reopened(shown: Any, whole: Any) -> Any:
    """Return the shown document with a SecretStr in place of each mark, empty if the whole document is lost."""
    if shown == MARK and whole != MARK:
        return SecretStr("" if whole is None else str(whole))
    if isinstance(shown, dict):
        named = whole if isinstance(whole, dict) else {}
        return {name: reopened(part, named.get(name)) for name, part in shown.items()}
    if isinstance(shown, list):
        listed = whole if isinstance(whole, list) and len(whole) == len(shown) else [None] * len(shown)
        return [reopened(*parts) for parts in zip(shown, listed, strict=True)]
    return shown


def is_hidden(value: object) -> bool:
    """Return whether a value of the shown document stands for a secret."""
    return value == MARK


def _shown(value: Any, secrets: list[str]) -> Any:
    """Return a value with a mark in place of each secret, and add the text of each to `secrets`.

    This looks at the fields themselves, because a model's own serializer may write a secret anywhere.
    """
    if isinstance(value, SECRETS):
        secrets.append(str(_json(_revealed(value))))
        return MARK
    if isinstance(value, File):
        return value.kept()
    if isinstance(value, RootModel):
        return _shown(value.root, secrets)
    if isinstance(value, BaseModel):
        value = {name: getattr(value, name) for name in type(value).model_fields} | (value.model_extra or {})
    elif is_dataclass(value):
        value = {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, Mapping):
        return {name: _shown(part, secrets) for name, part in value.items()}
    return [_shown(part, secrets) for part in value] if _has_parts(value) else value


def _revealed(value: Any) -> Any:
    """Return a value as plain data with its secrets in clear."""
    if isinstance(value, SECRETS):
        return _revealed(value.get_secret_value())
    if isinstance(value, BaseModel):
        return _revealed(value.model_dump(exclude_computed_fields=True))
    if isinstance(value, bytes):  # what is no text is not the same when it is read again, and so refused
        return value.decode(errors="replace")
    if isinstance(value, Mapping):
        return {name: _revealed(part) for name, part in value.items()}
    return [_revealed(part) for part in value] if _has_parts(value) else value


def _has_parts(value: Any) -> bool:
    return isinstance(value, Collection) and not isinstance(value, str | bytes)


def _json(value: Any) -> Any:
    return to_jsonable_python(value, fallback=str)
