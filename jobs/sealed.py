"""Secret parameters: a SecretStr is kept encrypted with its run, and opened for its form and its task alone.

What is kept in its place is `{"$sealed": token}`; only the vault makes such a token and opens it, for its owner.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from pydantic import BaseModel, RootModel, Secret, SecretBytes, SecretStr

from jobs.context import FinalFailure

SEALED = "$sealed"
# What a core schema says of pydantic's Secret are functions made here, whatever serializer stands beside them.
FIELDS = frozenset({"model-field", "typed-dict-field"})
MAKES_TYPED = Secret.__get_pydantic_core_schema__.__qualname__


class LostSecret(FinalFailure):
    """A secret that was kept with a run and that no key opens any more."""

    def __init__(self) -> None:
        super().__init__("A secret it was given cannot be read any more: SECRET_KEY has changed. Start a new run.")


def kept(parameters: BaseModel, seal: Callable[[str], Any]) -> dict[str, Any]:
    """Parameters as JSON, with what `seal` makes of each secret in its place.

    Where the secrets are, the parameters themselves say: a serializer of a model's own may write them out. What a model
    computes of its fields is not kept, for it may hold them too.
    """
    plain: dict[str, Any] = _sealed(parameters.model_dump(mode="json", exclude_computed_fields=True), parameters, seal)
    return plain


def reference_to(token: str) -> dict[str, str]:
    """What is kept of a secret."""
    return {SEALED: token}


def token_in(value: object) -> str | None:
    """The token in what is kept of a secret, if it has that form."""
    token = value.get(SEALED) if isinstance(value, dict) and len(value) == 1 else None
    return token if isinstance(token, str) else None


def tokens_in(value: Any) -> Iterator[str]:
    """The tokens of all secrets in kept parameters."""
    if token := token_in(value):
        yield token
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from tokens_in(part)


def opened(value: Any, secrets: Mapping[str, str]) -> Any:
    """Kept parameters with these secrets, by token, in their places; what only looks like one stays as it is."""
    if (token := token_in(value)) and token in secrets:
        return secrets[token]
    if isinstance(value, dict):
        return {name: opened(part, secrets) for name, part in value.items()}
    return [opened(part, secrets) for part in value] if isinstance(value, list) else value


def typed_secret_in(schema: Any, name: str = "") -> str | None:
    """The name of a field in a core schema that is a Secret of any type: it has no text that could be sealed."""
    if callable(schema):
        return name if getattr(schema, "__qualname__", "").startswith(MAKES_TYPED) else None
    if isinstance(schema, dict):
        within = schema.get("name", name)
        named = [
            (key if isinstance(part, dict) and part.get("type") in FIELDS else within, part)
            for key, part in schema.items()
        ]
    else:
        named = [(name, part) for part in schema] if isinstance(schema, list | tuple) else []
    return next((found for at, part in named if (found := typed_secret_in(part, at))), None)


def _sealed(plain: Any, given: Any, seal: Callable[[str], Any]) -> Any:
    """The JSON of a value with its secrets sealed; what is shaped otherwise has none."""
    if isinstance(given, SecretStr | SecretBytes):
        secret = given.get_secret_value()
        return seal(secret.decode() if isinstance(secret, bytes) else secret)
    if isinstance(given, RootModel):
        return _sealed(plain, given.root, seal)
    if isinstance(plain, dict) and (named := _named(given)) is not None:
        return {name: _sealed(part, named[name], seal) if name in named else part for name, part in plain.items()}
    if isinstance(plain, dict) and isinstance(given, Mapping) and len(given) == len(plain):
        parts = zip(plain.items(), given.values(), strict=True)
        return {name: _sealed(part, within, seal) for (name, part), within in parts}
    if isinstance(plain, list) and isinstance(given, Collection) and len(given) == len(plain):
        return [_sealed(part, within, seal) for part, within in zip(plain, given, strict=True)]
    return plain


def _named(given: Any) -> dict[str, Any] | None:
    """What a model or a dataclass holds, by name."""
    if isinstance(given, BaseModel):
        return vars(given)  # a field may be called as a method is that dict() would ask: keys
    if is_dataclass(given):
        return {one.name: getattr(given, one.name) for one in fields(given)}
    return None
