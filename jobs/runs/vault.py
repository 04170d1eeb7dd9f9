"""Users' secrets in the database, encrypted.

The key of each is derived from SECRET_KEY, its owner and its name: whoever reads the database alone has nothing, and
whoever writes to it cannot give a secret to somebody else. Values are read for the worker that executes a run of a task
which asks for them, and for nobody else; no page shows one again. A secret that is a run's own parameter is sealed with
a key of its owner's in the same way, and kept with the run.
"""

import base64
import logging
from collections.abc import Collection, Iterable
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from sqlalchemy import String, Text, delete, func, select
from sqlalchemy.orm import Mapped, mapped_column

from config import Settings
from jobs.authoring.secrets import NAME
from jobs.runs import people
from jobs.storage.database import Base, Database, UtcDateTime, utcnow
from jobs.values.text import keepable

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

log = logging.getLogger(__name__)

LONGEST_VALUE = 10_000
MOST_SECRETS = 100


class RefusedSecret(ValueError):
    """A secret that cannot be kept; the message says why, and `field` whether for its name or its value."""

    def __init__(self, field: Literal["secret-name", "secret-value"], message: str) -> None:
        super().__init__(message)
        self.field = field


class SecretRow(Base):
    __tablename__ = "secrets"

    owner_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    encrypted: Mapped[str] = mapped_column(Text)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)


class Vault:
    """The secrets of all users. With SECRET_KEY_PREVIOUS set, what was encrypted with that can still be read."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings

    def put(self, owner_id: int, name: str, value: str) -> None:
        """Keep a secret, in the place of one of that name. Raises RefusedSecret."""
        _check(name, value)
        encrypted = self._cipher(_purpose(owner_id, name)).encrypt(value.encode()).decode()
        with self._database.write() as session:
            people.in_turn(session, owner_id)
            mine = select(func.count()).where(SecretRow.owner_id == owner_id, SecretRow.name != name)
            if (session.scalar(mine) or 0) >= MOST_SECRETS:
                raise RefusedSecret("secret-name", f"There are {MOST_SECRETS} secrets already. Delete one first.")
            session.merge(SecretRow(owner_id=owner_id, name=name, encrypted=encrypted, changed_at=utcnow()))

    def names(self, owner_id: int) -> list[str]:
        with self._database.read() as session:
            mine = select(SecretRow.name).where(SecretRow.owner_id == owner_id)
            return list(session.scalars(mine.order_by(SecretRow.name)))

    def delete(self, owner_id: int, name: str) -> bool:
        """Forget a secret; whether there was one."""
        with self._database.write() as session:
            mine = delete(SecretRow).where(SecretRow.owner_id == owner_id, SecretRow.name == name)
            return session.scalar(mine.returning(SecretRow.name)) is not None

    def values(self, owner_id: int, names: Collection[str]) -> dict[str, str]:
        """The values of these, or of all if none are named; one that no key opens any more counts as missing."""
        query = select(SecretRow).where(SecretRow.owner_id == owner_id)
        with self._database.read() as session:
            rows = list(session.scalars(query.where(SecretRow.name.in_(names)) if names else query))
        opened = {row.name: self._opened(row) for row in rows}
        return {name: value for name, value in opened.items() if value is not None}

    def seal(self, owner_id: int, value: str) -> str:
        """A secret that is kept with a run, encrypted; nobody but its owner's runs and forms can have it opened."""
        return self._cipher(f"parameter of {owner_id}").encrypt(value.encode()).decode()

    def opened(self, owner_id: int, tokens: Iterable[str]) -> dict[str, str]:
        """What was sealed for this owner, by token; those that no key opens for them are left out."""
        values = {token: self._decrypted(f"parameter of {owner_id}", token) for token in tokens}
        return {token: value for token, value in values.items() if value is not None}

    def renew(self) -> tuple[int, int]:
        """Encrypt all with the key as it is now; how many were, and how many no key opens."""
        renewed = lost = 0
        with self._database.write() as session:
            for row in session.scalars(select(SecretRow).with_for_update()):
                value = self._opened(row)
                if value is None:
                    lost += 1
                    continue
                row.encrypted = self._cipher(_purpose(row.owner_id, row.name)).encrypt(value.encode()).decode()
                renewed += 1
        return renewed, lost

    def _opened(self, row: SecretRow) -> str | None:
        value = self._decrypted(_purpose(row.owner_id, row.name), row.encrypted)
        if value is None:
            log.warning("a secret of user %d cannot be read: SECRET_KEY has changed since it was entered", row.owner_id)
        return value

    def _decrypted(self, purpose: str, token: str) -> str | None:
        from cryptography.fernet import InvalidToken

        try:
            return self._cipher(purpose).decrypt(token.encode()).decode()
        except InvalidToken:
            return None

    def _cipher(self, purpose: str) -> "MultiFernet":
        # Imported where it is needed: most processes never are.
        from cryptography.fernet import Fernet, MultiFernet
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        info = f"dumbwaiter {purpose}".encode()
        derived = (HKDF(SHA256(), 32, salt=None, info=info).derive(key.encode()) for key in self._keys)
        return MultiFernet([Fernet(base64.urlsafe_b64encode(key)) for key in derived])

    @cached_property
    def _keys(self) -> list[str]:
        """The key that encrypts first."""
        return [key for key in (self._settings.session_key(), self._settings.secret_key_previous) if key]


def _purpose(owner_id: int, name: str) -> str:
    return f"secret of {owner_id}: {name}"


def _check(name: str, value: str) -> None:
    if not NAME.fullmatch(name):
        words = "Use letters, digits and _, such as API_TOKEN, and no digit first; at most 64 of them."
        raise RefusedSecret("secret-name", words)
    if not value.strip():
        raise RefusedSecret("secret-value", "Enter the secret.")
    if len(value) > LONGEST_VALUE or keepable(value) != value:
        raise RefusedSecret("secret-value", f"A secret is a text of up to {LONGEST_VALUE:,} characters.")
