"""Access of a user's forms to the user's own files and sealed secrets."""

from collections.abc import Collection, Mapping

from flask import Flask
from flask_login import current_user

from jobs.runs import sizes_of
from webapp.current import backend
from webapp.forms import OwnInputs


def init_app(app: Flask) -> None:
    app.jinja_env.filters.update(sealed=sealed)


def own_inputs(refused: Mapping[str, str] | None = None) -> OwnInputs:
    """Return the current user's own inputs, with the messages for refused files by field."""
    return OwnInputs(_own_sizes, refused or {}, _own_secret)


def sealed(secret: str) -> str:
    """Encrypt a secret for the user's form, so that it need not be entered again and cannot be read."""
    return backend().vault.seal(current_user.id, secret)


def _own_sizes(wanted: Collection[str]) -> Mapping[str, int]:
    with backend().database.read() as session:
        return sizes_of(session, current_user.id, wanted)


def _own_secret(token: str) -> str | None:
    return backend().vault.unseal(current_user.id, token)
