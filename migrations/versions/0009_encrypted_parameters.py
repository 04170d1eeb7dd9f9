"""parameters with a secret, encrypted as a whole.

Before, each secret was encrypted alone and stood as {"$sealed": token} in its place. This code repeats how the vault
derives its keys, because a migration must not depend on code that may change.
"""

import base64
import json
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import sqlalchemy as sa
from alembic import op

import config

revision = "0009"
down_revision = "0008"

MARK = {"$sealed": "•••"}
FERNET = "gAAAAA"  # every token begins with this
AT_ONCE = 100

RUNS = sa.table(
    "runs",
    sa.column("id", sa.Integer),
    sa.column("owner_id", sa.Integer),
    sa.column("parameters", sa.JSON),
    sa.column("encrypted_parameters", sa.Text),
)


def upgrade() -> None:
    op.add_column("runs", sa.Column("encrypted_parameters", sa.Text(), nullable=True))
    _change(sa.cast(RUNS.c.parameters, sa.Text).like('%"$sealed"%'), _together)


def downgrade() -> None:
    _change(RUNS.c.encrypted_parameters.is_not(None), _one_by_one)
    op.drop_column("runs", "encrypted_parameters")


def _change(which: Any, changed: Callable[[Any], dict[str, Any]]) -> None:
    query = sa.select(RUNS).where(which).order_by(RUNS.c.id).limit(AT_ONCE)
    last = 0
    while rows := op.get_bind().execute(query.where(RUNS.c.id > last)).all():
        for row in rows:
            op.get_bind().execute(sa.update(RUNS).where(RUNS.c.id == row.id).values(changed(row)))
        last = rows[-1].id


def _together(row: Any) -> dict[str, Any]:
    secrets = {token: _decrypted(f"parameter of {row.owner_id}", token) for token in _tokens(row.parameters)}
    if not secrets:  # somebody's own text that looks like a secret
        return {"parameters": row.parameters}
    shown = _replaced(row.parameters, dict.fromkeys(secrets, MARK))
    lost = [token for token, secret in secrets.items() if secret is None]
    if lost:  # nothing decrypts this as parameters either, so the run fails and says why
        return {"parameters": shown, "encrypted_parameters": lost[0]}
    document = json.dumps([_replaced(row.parameters, secrets), list(secrets.values())])
    return {"parameters": shown, "encrypted_parameters": _encrypted(f"parameters of {row.owner_id}", document)}


def _one_by_one(row: Any) -> dict[str, Any]:
    document = _decrypted(f"parameters of {row.owner_id}", row.encrypted_parameters)
    if document is None:
        return {"parameters": _replaced(row.parameters, {MARK["$sealed"]: {"$sealed": row.encrypted_parameters}})}
    whole, secrets = json.loads(document)
    return {"parameters": _sealed(whole, [secret for secret in secrets if secret], row.owner_id)}


def _tokens(value: Any) -> Iterator[str]:
    if (token := _token(value)) and token.startswith(FERNET):
        yield token
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _tokens(part)


def _token(value: Any) -> str | None:
    token = value.get("$sealed") if isinstance(value, dict) and len(value) == 1 else None
    return token if isinstance(token, str) else None


def _replaced(value: Any, instead: dict[str, Any]) -> Any:
    if (token := _token(value)) in instead:
        return instead[str(token)]
    if isinstance(value, dict):
        return {name: _replaced(part, instead) for name, part in value.items()}
    return [_replaced(part, instead) for part in value] if isinstance(value, list) else value


def _sealed(value: Any, secrets: list[str], owner_id: int) -> Any:
    if isinstance(value, dict):
        return {name: _sealed(part, secrets, owner_id) for name, part in value.items()}
    if isinstance(value, list):
        return [_sealed(part, secrets, owner_id) for part in value]
    if value is None or isinstance(value, bool) or not any(secret in str(value) for secret in secrets):
        return value
    return {"$sealed": _encrypted(f"parameter of {owner_id}", str(value))}


def _encrypted(purpose: str, text: str) -> str:
    return _cipher(purpose).encrypt(text.encode()).decode()


def _decrypted(purpose: str, token: str) -> str | None:
    from cryptography.fernet import InvalidToken

    try:
        return _cipher(purpose).decrypt(token.encode()).decode()
    except InvalidToken:
        return None


def _cipher(purpose: str) -> Any:
    # Imported lazily: every migration is imported whenever the schema is checked.
    from cryptography.fernet import Fernet, MultiFernet
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    info = f"dumbwaiter {purpose}".encode()
    derived = (HKDF(SHA256(), 32, salt=None, info=info).derive(key.encode()) for key in _keys())
    return MultiFernet([Fernet(base64.urlsafe_b64encode(key)) for key in derived])


@cache
def _keys() -> list[str]:
    settings = config.load()
    return [key for key in (settings.session_key(), settings.secret_key_previous) if key]
