"""Store users' secrets in the database, encrypted.

Each secret's key is derived from SECRET_KEY, its owner and its name. Read access to the database alone reveals nothing,
and write access cannot move a secret to another owner. Values are decrypted only for a worker that executes a run of a
task that asks for them; no page shows them again. A secret parameter is encrypted with a key derived for its owner in
the same way, and stored with the run.
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
KEY_LABEL = "dumbwaiter"  # part of every key: a change makes all stored secrets unreadable


class RefusedSecret(ValueError):
    """A secret that was rejected; the message gives the reason, and `field` the part at fault."""

    def __init__(self, field: Literal["name", "value"], message: str) -> None:
        super().__init__(message)
        self.field = field


class SecretRow(Base):
    __tablename__ = "secrets"

    owner_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    encrypted: Mapped[str] = mapped_column(Text)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)


class Vault:
    """The secrets of all users. Secrets encrypted with SECRET_KEY_PREVIOUS remain readable while that is set."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings

    def put(self, owner_id: int, name: str, value: str) -> None:
        """Store a secret, replacing one of the same name. Raises RefusedSecret if it is invalid or one too many."""
        _check(name, value)
        encrypted = self._cipher(_purpose(owner_id, name)).encrypt(value.encode()).decode()
        with self._database.write() as session:
            people.in_turn(session, owner_id)
            mine = select(func.count()).where(SecretRow.owner_id == owner_id, SecretRow.name != name)
            if (session.scalar(mine) or 0) >= MOST_SECRETS:
                raise RefusedSecret("name", f"You already have {MOST_SECRETS} secrets. Delete one first.")
            session.merge(SecretRow(owner_id=owner_id, name=name, encrypted=encrypted, changed_at=utcnow()))

    def names(self, owner_id: int) -> list[str]:
        with self._database.read() as session:
            mine = select(SecretRow.name).where(SecretRow.owner_id == owner_id)
            return list(session.scalars(mine.order_by(SecretRow.name)))

    def delete(self, owner_id: int, name: str) -> bool:
        """Delete a secret and return whether it existed."""
        with self._database.write() as session:
            mine = delete(SecretRow).where(SecretRow.owner_id == owner_id, SecretRow.name == name)
            return session.scalar(mine.returning(SecretRow.name)) is not None

    def values(self, owner_id: int, names: Collection[str]) -> dict[str, str]:
        """Return an owner's secrets by name, all if `names` is empty, without those that no key decrypts."""
        query = select(SecretRow).where(SecretRow.owner_id == owner_id)
        with self._database.read() as session:
            rows = list(session.scalars(query.where(SecretRow.name.in_(names)) if names else query))
        opened = {row.name: self._opened(row) for row in rows}
        return {name: value for name, value in opened.items() if value is not None}

    def seal(self, owner_id: int, value: str) -> str:
        """Return an encrypted token for a secret parameter. Only its owner's runs and forms can decrypt it."""
        return self._cipher(f"parameter of {owner_id}").encrypt(value.encode()).decode()

    def opened(self, owner_id: int, tokens: Iterable[str]) -> dict[str, str]:
        """Return the secrets sealed for this owner, by token, without those that no key decrypts."""
        values = {token: self._decrypted(f"parameter of {owner_id}", token) for token in tokens}
        return {token: value for token, value in values.items() if value is not None}

    def renew(self) -> tuple[int, int]:
        """Re-encrypt all secrets with the current key. Return how many were renewed, and how many were lost."""
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
            log.warning("could not decrypt a secret of user %d: SECRET_KEY has changed since", row.owner_id)
        return value

    def _decrypted(self, purpose: str, token: str) -> str | None:
        from cryptography.fernet import InvalidToken

        try:
            return self._cipher(purpose).decrypt(token.encode()).decode()
        except InvalidToken:
            return None

    def _cipher(self, purpose: str) -> "MultiFernet":
        # Imported lazily: most processes never need it.
        from cryptography.fernet import Fernet, MultiFernet
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        info = f"{KEY_LABEL} {purpose}".encode()
        derived = (HKDF(SHA256(), 32, salt=None, info=info).derive(key.encode()) for key in self._keys)
        return MultiFernet([Fernet(base64.urlsafe_b64encode(key)) for key in derived])

    @cached_property
    def _keys(self) -> list[str]:
        """The keys that decrypt, the current one, which also encrypts, first."""
        return [key for key in (self._settings.session_key(), self._settings.secret_key_previous) if key]


def _purpose(owner_id: int, name: str) -> str:
    return f"secret of {owner_id}: {name}"


def _check(name: str, value: str) -> None:
    if not NAME.fullmatch(name):
        words = "Use up to 64 letters, digits and underscores, not starting with a digit, such as API_TOKEN."
        raise RefusedSecret("name", words)
    if not value.strip():
        raise RefusedSecret("value", "Enter the secret.")
    if len(value) > LONGEST_VALUE or keepable(value) != value:
        raise RefusedSecret("value", f"Enter text of up to {LONGEST_VALUE:,} characters.")
