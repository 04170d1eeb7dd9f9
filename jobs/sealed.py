"""Secret parameters: a SecretStr is kept encrypted with its run, and opened for its form and its task alone.

What is kept in its place is `{"$sealed": token}`; only the vault makes such a token and opens it, for its owner.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel, SecretBytes, SecretStr

from jobs.context import FinalFailure

SEALED = "$sealed"


class LostSecret(FinalFailure):
    """A secret that was kept with a run and that no key opens any more."""

    def __init__(self) -> None:
        super().__init__("A secret it was given cannot be read any more: SECRET_KEY has changed. Start a new run.")


def kept(parameters: BaseModel, seal: Callable[[str], Any]) -> dict[str, Any]:
    """Parameters as JSON, with what `seal` makes of each secret in its place."""
    plain: dict[str, Any] = _sealed(parameters.model_dump(mode="json"), parameters.model_dump(), seal)
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


def _sealed(plain: Any, given: Any, seal: Callable[[str], Any]) -> Any:
    """The JSON of a value, which has stars for its secrets, with them sealed; what is shaped otherwise has none."""
    if isinstance(given, SecretStr | SecretBytes):
        secret = given.get_secret_value()
        return seal(secret.decode() if isinstance(secret, bytes) else secret)
    if isinstance(given, dict) and isinstance(plain, dict) and len(given) == len(plain):
        parts = zip(plain.items(), given.values(), strict=True)
        return {name: _sealed(part, within, seal) for (name, part), within in parts}
    if isinstance(given, list | tuple) and isinstance(plain, list) and len(given) == len(plain):
        return [_sealed(part, within, seal) for part, within in zip(plain, given, strict=True)]
    return plain
