"""Secret parameters: a SecretStr is stored encrypted with its run, and decrypted only for its form and its task.

Stored parameters hold `{"$sealed": token}` in its place. Only the vault creates and decrypts tokens, for their owner.
"""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from itertools import repeat
from typing import Any

from pydantic import BaseModel, RootModel, Secret, SecretBytes, SecretStr
from pydantic_core import to_jsonable_python

from jobs.authoring.context import FinalFailure

SEALED = "$sealed"
# A core schema identifies pydantic's Secret only by functions that are defined in this method, whatever its serializer.
UNKNOWN = object()
FIELDS = frozenset({"model-field", "typed-dict-field"})
MAKES_TYPED = Secret.__get_pydantic_core_schema__.__qualname__


class LostSecret(FinalFailure):
    """A secret parameter that none of the current keys can decrypt."""

    def __init__(self) -> None:
        super().__init__("A secret parameter cannot be decrypted because SECRET_KEY has changed. Start a new run.")


class UnsealedSecret(ValueError):
    """A model whose serializer writes a secret where it cannot be encrypted."""

    def __init__(self, model: str) -> None:
        super().__init__(
            f"{model!r} serializes a secret as part of a text or a name, where it cannot be stored encrypted; "
            "change its serializer to write the secret as a separate value, or remove the serializer"
        )


def kept(parameters: BaseModel, seal: Callable[[str], Any]) -> dict[str, Any]:
    """Return the parameters as JSON, with each secret replaced by the result of `seal`.

    The secrets are looked up in the parameters themselves, because a model's own serializer may write them as plain
    text. Computed fields are left out, because they may contain secrets too. Raises UnsealedSecret when a secret is
    serialized as part of a text.
    """
    plain = parameters.model_dump(mode="json", exclude_computed_fields=True)
    if not any(True for _ in _secrets_in(parameters)):
        return plain
    sealed: dict[str, Any] = _Sealing(parameters, seal).of(plain, parameters, type(parameters).__name__)
    return sealed


def reference_to(token: str) -> dict[str, str]:
    """Return the reference that is stored in place of a secret."""
    return {SEALED: token}


def token_in(value: object) -> str | None:
    """Return the token of a stored secret reference, or None if the value is not one."""
    token = value.get(SEALED) if isinstance(value, dict) and len(value) == 1 else None
    return token if isinstance(token, str) else None


def tokens_in(value: Any) -> Iterator[str]:
    """Yield the token of every secret in stored parameters."""
    if token := token_in(value):
        yield token
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from tokens_in(part)


def opened(value: Any, secrets: Mapping[str, str]) -> Any:
    """Return stored parameters with each known token replaced by its secret; unknown references stay unchanged."""
    if (token := token_in(value)) and token in secrets:
        return secrets[token]
    if isinstance(value, dict):
        return {name: opened(part, secrets) for name, part in value.items()}
    return [opened(part, secrets) for part in value] if isinstance(value, list) else value


def typed_secret_in(schema: Any, name: str = "") -> str | None:
    """Return the name of the first typed Secret field in a core schema: such a secret has no text to encrypt."""
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


class _Sealing:
    """Encrypts the secrets in one set of parameters.

    A value in the place of a secret is always encrypted, whatever it contains. A serializer may also write a secret
    somewhere else, under another name or as part of another value. Therefore each text that differs from the value in
    its own place is compared with all secrets.
    """

    def __init__(self, parameters: BaseModel, seal: Callable[[str], Any]) -> None:
        self._seal = seal
        self._secrets = {secret for secret in _secrets_in(parameters) if secret}
        self._spelled = {text for secret in self._secrets for text in (secret, *_escaped(secret))}

    def of(self, plain: Any, given: Any, model: str) -> Any:
        """Return the JSON of a value with its secrets encrypted; `model` is the name of the model that wrote it."""
        if isinstance(given, SecretStr | SecretBytes):
            return self._seal(_text(given))
        if isinstance(given, RootModel):
            return self.of(plain, given.root, type(given).__name__)
        if isinstance(given, BaseModel) or is_dataclass(given):
            model = type(given).__name__
        if isinstance(plain, dict):
            return self._of_dict(plain, given, model)
        if isinstance(plain, list):
            fits = isinstance(given, Collection) and len(given) == len(plain)
            parts = zip(plain, given if fits else repeat(UNKNOWN), strict=fits)
            return [self.of(part, within, model) for part, within in parts]
        return plain if _is_json_of(plain, given) else self._of_leaf(plain, model)

    def _of_dict(self, plain: dict[str, Any], given: Any, model: str) -> dict[str, Any]:
        held: Mapping[str, Any] = {}
        if (named := _named(given)) is not None:
            held = named
        elif isinstance(given, Mapping) and len(given) == len(plain):
            pairs = zip(plain, given.items(), strict=True)
            held = {name: within for name, (key, within) in pairs if _is_json_of(name, _written(key))}
        for name in plain.keys() - held.keys():
            self._refuse_in(name, model)
        return {name: self.of(part, held.get(name, UNKNOWN), model) for name, part in plain.items()}

    def _of_leaf(self, plain: Any, model: str) -> Any:
        if plain is None or isinstance(plain, bool):
            return plain
        if str(plain) in self._secrets:
            return self._seal(str(plain))
        self._refuse_in(str(plain), model)
        return plain

    def _refuse_in(self, text: str, model: str) -> None:
        if any(spelled in text for spelled in self._spelled):
            raise UnsealedSecret(model)


def _secrets_in(given: Any) -> Iterator[str]:
    """Yield the text of every secret in a value."""
    if isinstance(given, Secret | SecretStr | SecretBytes):
        yield _text(given)
    elif not isinstance(given, str | bytes):
        for part in _parts(given):
            yield from _secrets_in(part)


def _parts(given: Any) -> Iterable[Any]:
    if isinstance(given, BaseModel):
        return [
            *vars(given).values(),
            *(given.__pydantic_private__ or {}).values(),
            *(given.model_extra or {}).values(),
        ]
    if (named := _named(given)) is not None:
        return named.values()
    if isinstance(given, Mapping):
        return [*given.keys(), *given.values()]
    return given if isinstance(given, Collection) else ()


def _text(secret: Secret[Any] | SecretStr | SecretBytes) -> str:
    value = secret.get_secret_value()
    return value.decode() if isinstance(value, bytes) else str(value)


def _escaped(secret: str) -> Iterator[str]:
    """Yield the escaped forms of a secret in Python and JSON string literals, without the quotes."""
    for written in (repr(secret), json.dumps(secret), json.dumps(secret, ensure_ascii=False)):
        yield written[1:-1]


def _named(given: Any) -> dict[str, Any] | None:
    """Return the values of a model or dataclass, by field name and by serialization alias; None for other values."""
    if isinstance(given, BaseModel):
        # Not dict(given): a field named `keys` would shadow the method that dict() calls.
        held = {**vars(given), **(given.model_extra or {})}
    elif is_dataclass(given):
        held = {one.name: getattr(given, one.name) for one in fields(given)}
    else:
        return None
    about = getattr(type(given), "__pydantic_fields__", {})
    return {str(one.serialization_alias or name): held[name] for name, one in about.items() if name in held} | held


def _is_json_of(plain: Any, given: Any) -> bool:
    """Return whether `plain` is the default JSON of a value without secrets, and so cannot reveal another value."""
    if given is UNKNOWN or any(True for _ in _secrets_in(given)):
        return False
    return bool(plain == given or plain == to_jsonable_python(given, serialize_unknown=True))


def _written(key: Any) -> str:
    """Return the JSON form of a mapping key."""
    return str(next(iter(to_jsonable_python({key: None}, serialize_unknown=True))))
