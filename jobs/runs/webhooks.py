"""Create, change and delete users' webhooks. Secrets are encrypted by the vault and returned once, by who made them."""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.orm import Session

from jobs.runs import audit, people, receivers
from jobs.runs.backend import Backend
from jobs.runs.run import LARGEST_ID
from jobs.runs.vault import Vault
from jobs.runs.webhook import Webhook
from jobs.runs.webhook_secrets import new_secret
from jobs.storage.database import Database, utcnow

MOST_WEBHOOKS = 20
OVERLAP = timedelta(days=1)


class TooManyWebhooks(Exception):
    """The owner has MOST_WEBHOOKS webhooks."""


def create(backend: Backend, owner_id: int, url: str) -> tuple[Webhook, str]:
    """Store a webhook for all runs of an owner and return it with its secret.

    Raises RefusedReceiver for an address that may not be used, and TooManyWebhooks.
    """
    secret = new_secret()
    webhook = sealed_webhook(backend, owner_id, url, secret)
    with backend.database.write() as session:
        people.in_turn(session, owner_id)
        count = session.scalar(select(func.count()).select_from(Webhook).where(*_of_all_runs(owner_id)))
        if (count or 0) >= MOST_WEBHOOKS:
            raise TooManyWebhooks
        session.add(webhook)
        audit.note(session, "webhook created", url)
    return webhook, secret


def sealed_webhook(backend: Backend, owner_id: int, url: str, secret: str) -> Webhook:
    """Return a webhook with its secret encrypted, to be stored by the caller. Raises RefusedReceiver."""
    receivers.parse(url, backend.settings)
    sealed = backend.vault.seal_webhook_secrets(owner_id, [secret])
    return Webhook(owner_id=owner_id, url=url, encrypted_secrets=sealed)


def url_for_run(database: Database, run_id: int) -> str | None:
    """Return the address of a run's own webhook, or None if it has none."""
    with database.read() as session:
        return session.scalar(select(Webhook.url).where(Webhook.run_id == run_id))


def secret_for_run(backend: Backend, run_id: int) -> str:
    """Return the secret of a run's own webhook; an empty string if it has none, or no key decrypts it."""
    with backend.database.read() as session:
        webhook = session.scalar(select(Webhook).where(Webhook.run_id == run_id))
    return "".join(secrets_of(backend.vault, webhook)[:1]) if webhook else ""


def listed(database: Database, owner_id: int) -> Sequence[Webhook]:
    """Return an owner's webhooks, without those of single runs, oldest first."""
    with database.read() as session:
        return session.scalars(select(Webhook).where(*_of_all_runs(owner_id)).order_by(Webhook.id)).all()


def of_single_runs(database: Database, owner_id: int, limit: int) -> Sequence[Webhook]:
    """Return the webhooks of an owner's single runs, of the newest runs first."""
    mine = select(Webhook).where(Webhook.owner_id == owner_id, Webhook.run_id.is_not(None))
    with database.read() as session:
        return session.scalars(mine.order_by(Webhook.run_id.desc()).limit(limit)).all()


def found(database: Database, owner_id: int, webhook_id: int) -> Webhook | None:
    """Return a webhook if it is one of this owner's, else None."""
    with database.read() as session:
        return _found(session, owner_id, webhook_id)


def remove(database: Database, owner_id: int, webhook_id: int) -> bool:
    """Delete a webhook with its messages and return whether it was this owner's."""
    with database.write() as session:
        mine = delete(Webhook).where(Webhook.id == min(webhook_id, LARGEST_ID), Webhook.owner_id == owner_id)
        url = session.scalar(mine.returning(Webhook.url))
        if url is not None:
            audit.note(session, "webhook deleted", url)
    return url is not None


def rotate(backend: Backend, owner_id: int, webhook_id: int) -> str | None:
    """Give a webhook a new secret and return it, or None if it is not this owner's.

    For OVERLAP, messages are signed with the old secret as well.
    """
    with backend.database.write() as session:
        webhook = _found(session, owner_id, webhook_id, lock=True)
        if webhook is None:
            return None
        secret, now = new_secret(), utcnow()
        before = backend.vault.unseal_webhook_secrets(owner_id, webhook.encrypted_secrets) or []
        webhook.encrypted_secrets = backend.vault.seal_webhook_secrets(owner_id, [secret, *before[:1]])
        webhook.rotated_at = now
        audit.note(session, "webhook's secret changed", webhook.url)
    return secret


def enable(database: Database, owner_id: int, webhook_id: int) -> bool:
    """Enable a webhook for runs that end from now on, and return whether it is this owner's."""
    with database.write() as session:
        webhook = _found(session, owner_id, webhook_id, lock=True)
        if webhook is None:
            return False
        webhook.disabled_at = webhook.disabled_because = webhook.failing_since = None
        audit.note(session, "webhook enabled", webhook.url)
    return True


def secrets_of(vault: Vault, webhook: Webhook) -> list[str]:
    """Return the secrets that sign a webhook's messages now, the newest first; none if no key decrypts them."""
    secrets = vault.unseal_webhook_secrets(webhook.owner_id, webhook.encrypted_secrets) or []
    overlaps = webhook.rotated_at is not None and utcnow() - webhook.rotated_at < OVERLAP
    return secrets if overlaps else secrets[:1]


def _of_all_runs(owner_id: int) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return (Webhook.owner_id == owner_id, Webhook.run_id.is_(None))


def _found(session: Session, owner_id: int, webhook_id: int, lock: bool = False) -> Webhook | None:
    query = select(Webhook).where(Webhook.id == min(webhook_id, LARGEST_ID), Webhook.owner_id == owner_id)
    return session.scalar(query.with_for_update() if lock else query)
