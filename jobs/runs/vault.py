"""Store users' secrets in the database, encrypted.

Each secret's key is derived from SECRET_KEY, its owner and its name. Read access to the database alone reveals nothing,
and write access cannot move a secret to another owner. Values are decrypted only for a worker that executes a run of a
task that asks for them; no page shows them again. The parameters of a run with a secret among them are encrypted with a
key derived for its owner in the same way, and stored with the run.
"""

import base64
import json
import logging
from collections import Counter
from collections.abc import Collection
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import String, Text, delete, func, select, update
from sqlalchemy.orm import Mapped, mapped_column

from config import Settings
from jobs.authoring.secrets import NAME
from jobs.runs import audit, people
from jobs.runs.run import Run
from jobs.runs.webhook import Webhook
from jobs.storage.database import Base, Database, UtcDateTime, utcnow
from jobs.values.text import keepable

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

log = logging.getLogger(__name__)

LONGEST_VALUE = 10_000
MOST_SECRETS = 100
RENEWED_AT_ONCE = 100  # runs in one transaction, which keeps other writers waiting
KEY_LABEL = "dumbwaiter"  # part of every key: a change makes all stored secrets unreadable


class RefusedSecret(ValueError):
    """A secret that was rejected; the message gives the reason, and `field` the part at fault."""

    def __init__(self, field: Literal["name", "value"], message: str) -> None:
        super().__init__(message)
        self.field = field


class SecretRow(Base):
    __tablename__ = "secrets"

    owner_id: Mapped[int] = mapped_column(people.owner_key("secrets"), primary_key=True, autoincrement=False)
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
        encrypted = self._encrypted(_purpose(owner_id, name), value)
        with self._database.write() as session:
            people.in_turn(session, owner_id)
            mine = select(func.count()).where(SecretRow.owner_id == owner_id, SecretRow.name != name)
            if (session.scalar(mine) or 0) >= MOST_SECRETS:
                raise RefusedSecret("name", f"You already have {MOST_SECRETS} secrets. Delete one first.")
            session.merge(SecretRow(owner_id=owner_id, name=name, encrypted=encrypted, changed_at=utcnow()))
            audit.note(session, "secret saved", name)

    def names(self, owner_id: int) -> list[str]:
        with self._database.read() as session:
            mine = select(SecretRow.name).where(SecretRow.owner_id == owner_id)
            return list(session.scalars(mine.order_by(SecretRow.name)))

    def delete(self, owner_id: int, name: str) -> bool:
        """Delete a secret and return whether it existed."""
        with self._database.write() as session:
            mine = delete(SecretRow).where(SecretRow.owner_id == owner_id, SecretRow.name == name)
            existed = session.scalar(mine.returning(SecretRow.name)) is not None
            if existed:
                audit.note(session, "secret deleted", name)
        return existed

    def values(self, owner_id: int, names: Collection[str]) -> dict[str, str]:
        """Return an owner's secrets by name, all if `names` is empty, without those that no key decrypts."""
        query = select(SecretRow).where(SecretRow.owner_id == owner_id)
        with self._database.read() as session:
            rows = list(session.scalars(query.where(SecretRow.name.in_(names)) if names else query))
        opened = {row.name: self._opened(row) for row in rows}
        return {name: value for name, value in opened.items() if value is not None}

    def seal(self, owner_id: int, value: str) -> str:
        """Return an encrypted token for a secret that was entered in a form. Only its owner's forms can decrypt it."""
        return self._encrypted(f"parameter of {owner_id}", value)

    def unseal(self, owner_id: int, token: str) -> str | None:
        """Return the secret in a token, or None if it was not sealed for this owner or no key decrypts it."""
        return self._decrypted(f"parameter of {owner_id}", token)

    def seal_parameters(self, owner_id: int, whole: dict[str, Any], secrets: Collection[str]) -> str:
        """Encrypt the parameters of an owner's run, with the texts of the secrets that its output must not show."""
        return self._encrypted(_parameters_of(owner_id), json.dumps([whole, list(secrets)]))

    def unseal_parameters(self, owner_id: int, encrypted: str) -> tuple[dict[str, Any], list[str]] | None:
        """Return the parameters of an owner's run and the secrets among them, or None if no key decrypts them."""
        document = self._decrypted(_parameters_of(owner_id), encrypted)
        if document is None:
            log.warning("could not decrypt parameters of user %d: SECRET_KEY has changed since", owner_id)
            return None
        whole, secrets = json.loads(document)
        return whole, secrets

    def seal_webhook_secrets(self, owner_id: int, secrets: list[str]) -> str:
        """Encrypt the secrets that sign the messages to a webhook of an owner."""
        return self._encrypted(_webhooks_of(owner_id), json.dumps(secrets))

    def unseal_webhook_secrets(self, owner_id: int, encrypted: str) -> list[str] | None:
        """Return the secrets of a webhook of an owner, or None if no key decrypts them."""
        document = self._decrypted(_webhooks_of(owner_id), encrypted)
        return None if document is None else list(json.loads(document))

    def seal_mail(self, recipient: str, text: str) -> str:
        """Encrypt the text of a mail that is to be sent."""
        return self._encrypted(f"mail to {recipient}", text)

    def unseal_mail(self, recipient: str, encrypted: str) -> str | None:
        """Return the text of a mail, or None if no key decrypts it."""
        return self._decrypted(f"mail to {recipient}", encrypted)

    def seal_second_factor(self, owner_id: int, secret: str) -> str:
        """Encrypt the secret of an owner's authenticator app."""
        return self._encrypted(f"second factor of {owner_id}", secret)

    def unseal_second_factor(self, owner_id: int, encrypted: str) -> str | None:
        """Return the secret of an owner's authenticator app, or None if no key decrypts it."""
        return self._decrypted(f"second factor of {owner_id}", encrypted)

    def renew(self) -> tuple[int, int]:
        """Re-encrypt all secrets with the current key. Return how many were renewed, and how many were lost."""
        counts = Counter[bool]()
        with self._database.write() as session:
            for row in session.scalars(select(SecretRow).with_for_update()):
                renewed = self._renewed(_purpose(row.owner_id, row.name), row.encrypted)
                row.encrypted = renewed or row.encrypted
                counts[renewed is not None] += 1
        return counts[True], counts[False]

    def renew_parameters(self) -> tuple[int, int]:
        """Re-encrypt the parameters of all runs with a secret. Return how many were renewed, and how many were lost."""
        counts, last = Counter[bool](), 0
        while renewed := self._renew_after(last):
            counts.update(renewed.values())
            last = max(renewed)
        return counts[True], counts[False]

    def renew_webhooks(self) -> tuple[int, int]:
        """Re-encrypt the secrets of all webhooks. Return how many were renewed, and how many were lost."""
        counts = Counter[bool]()
        with self._database.read() as session:
            ids = session.scalars(select(Webhook.id)).all()
        for webhook_id in ids:  # each in a transaction of its own: there is one for each run that asked for it
            with self._database.write() as session:
                if webhook := session.get(Webhook, webhook_id, with_for_update=True):
                    renewed = self._renewed(_webhooks_of(webhook.owner_id), webhook.encrypted_secrets)
                    webhook.encrypted_secrets = renewed or webhook.encrypted_secrets
                    counts[renewed is not None] += 1
        return counts[True], counts[False]

    def _renew_after(self, last: int) -> dict[int, bool]:
        """Re-encrypt the parameters of the next runs after an id. Return by id whether a key decrypted them."""
        found = {}
        query = select(Run.id, Run.owner_id, Run.encrypted_parameters).where(Run.encrypted_parameters.is_not(None))
        with self._database.write() as session:
            some = session.execute(query.where(Run.id > last).order_by(Run.id).limit(RENEWED_AT_ONCE)).all()
            for run_id, owner_id, token in some:
                renewed = self._renewed(_parameters_of(owner_id), str(token))
                session.execute(update(Run).where(Run.id == run_id).values(encrypted_parameters=renewed or token))
                found[run_id] = renewed is not None
        return found

    def _opened(self, row: SecretRow) -> str | None:
        value = self._decrypted(_purpose(row.owner_id, row.name), row.encrypted)
        if value is None:
            log.warning("could not decrypt a secret of user %d: SECRET_KEY has changed since", row.owner_id)
        return value

    def _encrypted(self, purpose: str, text: str) -> str:
        return self._cipher(purpose).encrypt(text.encode()).decode()

    def _decrypted(self, purpose: str, token: str) -> str | None:
        from cryptography.fernet import InvalidToken

        try:
            return self._cipher(purpose).decrypt(token.encode()).decode()
        except InvalidToken:
            return None

    def _renewed(self, purpose: str, token: str) -> str | None:
        text = self._decrypted(purpose, token)
        return None if text is None else self._encrypted(purpose, text)

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


def _webhooks_of(owner_id: int) -> str:
    return f"webhooks of {owner_id}"


def _parameters_of(owner_id: int) -> str:
    return f"parameters of {owner_id}"


def _check(name: str, value: str) -> None:
    if not NAME.fullmatch(name):
        words = "Use up to 64 letters, digits and underscores, not starting with a digit, such as API_TOKEN."
        raise RefusedSecret("name", words)
    if not value.strip():
        raise RefusedSecret("value", "Enter the secret.")
    if len(value) > LONGEST_VALUE or keepable(value) != value:
        raise RefusedSecret("value", f"Enter text of up to {LONGEST_VALUE:,} characters.")
