"""Secret parameters: a SecretStr is kept encrypted with its run, and opened for its form and its task alone.

What is kept in its place is `{"$sealed": token}`; only the vault makes such a token and opens it, for its owner.
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
# What a core schema says of pydantic's Secret are functions made here, whatever serializer stands beside them.
UNKNOWN = object()
FIELDS = frozenset({"model-field", "typed-dict-field"})
MAKES_TYPED = Secret.__get_pydantic_core_schema__.__qualname__


class LostSecret(FinalFailure):
    """A secret that was kept with a run and that no key opens any more."""

    def __init__(self) -> None:
        super().__init__("A secret it was given cannot be read any more: SECRET_KEY has changed. Start a new run.")


class UnsealedSecret(ValueError):
    """A model writes a secret out where it cannot be sealed."""

    def __init__(self, model: str) -> None:
        super().__init__(
            f"what {model!r} writes of itself has a secret within a text or a name, where it cannot be kept encrypted; "
            "have its serializer write the secret as a value of its own, or take the serializer away"
        )


def kept(parameters: BaseModel, seal: Callable[[str], Any]) -> dict[str, Any]:
    """Parameters as JSON, with what `seal` makes of each secret in its place.

    Where the secrets are, the parameters themselves say: a serializer of a model's own may write them out. What a model
    computes of its fields is not kept, for it may hold them too. Raises UnsealedSecret for a secret that is written as
    a part of a text.
    """
    plain = parameters.model_dump(mode="json", exclude_computed_fields=True)
    if not any(True for _ in _secrets_in(parameters)):
        return plain
    sealed: dict[str, Any] = _Sealing(parameters, seal).of(plain, parameters, type(parameters).__name__)
    return sealed


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


class _Sealing:
    """Seals the secrets of one set of parameters.

    What stands where a secret is held is sealed whatever it says. But a serializer may write a secret elsewhere, under
    another name or as a part of something: a text that is not what its own place holds is compared with all secrets.
    """

    def __init__(self, parameters: BaseModel, seal: Callable[[str], Any]) -> None:
        self._seal = seal
        self._secrets = {secret for secret in _secrets_in(parameters) if secret}
        self._spelled = {text for secret in self._secrets for text in (secret, *_escaped(secret))}

    def of(self, plain: Any, given: Any, model: str) -> Any:
        """The JSON of a value with its secrets sealed; `model` is the name of what it is written by."""
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
    """The texts of all secrets that a value holds."""
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
    """A secret as Python and JSON write it in quotation marks."""
    for written in (repr(secret), json.dumps(secret), json.dumps(secret, ensure_ascii=False)):
        yield written[1:-1]


def _named(given: Any) -> dict[str, Any] | None:
    """What a model or a dataclass holds, by name and by the alias under which it may be written."""
    if isinstance(given, BaseModel):
        # A field may be called as a method is that dict() would ask: keys.
        held = {**vars(given), **(given.model_extra or {})}
    elif is_dataclass(given):
        held = {one.name: getattr(given, one.name) for one in fields(given)}
    else:
        return None
    about = getattr(type(given), "__pydantic_fields__", {})
    return {str(one.serialization_alias or name): held[name] for name, one in about.items() if name in held} | held


def _is_json_of(plain: Any, given: Any) -> bool:
    """Whether this is what a value without secrets is written as by itself, and so says nothing of any other."""
    if given is UNKNOWN or any(True for _ in _secrets_in(given)):
        return False
    return bool(plain == given or plain == to_jsonable_python(given, serialize_unknown=True))


def _written(key: Any) -> str:
    """What JSON makes of a key."""
    return str(next(iter(to_jsonable_python({key: None}, serialize_unknown=True))))
