"""Mails: each is a row, committed with its cause, claimed by a sender, and deleted once it was sent or is too old.

Its text is encrypted, because it may have a link that is as good as a password for a while.
"""

import random
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Index, String, Text, delete, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from jobs.runs.people import owner_key
from jobs.runs.run import RunId
from jobs.runs.vault import Vault
from jobs.storage.database import Base, Database, UtcDateTime, utcnow

# In seconds after each failure; the last one repeats until the mail expires.
SCHEDULE = (5, 30, 120, 600, 1800, 3600)
JITTER = 0.1
CANDIDATES = 5


class Mail(Base):
    """A mail that was not sent yet. While a sender tries, `due_at` is the end of its claim.

    `tries` counts every try that may have happened. The mail goes with its owner's account, if it has one. One
    about a run has no encrypted text (jobs.runs.run_mails).
    """

    __tablename__ = "mails"
    __table_args__ = (Index("ix_mails_due", "due_at"), Index("ix_mails_owner", "owner_id"))

    id: Mapped[int] = mapped_column(RunId, primary_key=True)
    owner_id: Mapped[int | None] = mapped_column(owner_key("mails"))
    message_id: Mapped[str] = mapped_column(String(40))
    recipient: Mapped[str] = mapped_column(String(254))
    subject: Mapped[str] = mapped_column(String(200))
    encrypted_text: Mapped[str] = mapped_column(Text)
    run_id: Mapped[int | None] = mapped_column(RunId)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    tries: Mapped[int] = mapped_column(default=0)


@dataclass(frozen=True)
class Letter:
    """A mail to be sent: recipient, text and expiry. `owner_id` names the account that it concerns."""

    recipient: str
    subject: str
    text: str
    lifetime: timedelta
    owner_id: int | None = None


def put(session: Session, vault: Vault, letter: Letter) -> None:
    """Add a mail to the transaction of its cause. It is sent within its lifetime or not at all."""
    now = utcnow()
    mail = Mail(
        owner_id=letter.owner_id,
        message_id=secrets.token_hex(16),
        recipient=letter.recipient,
        subject=letter.subject,
        encrypted_text=vault.seal_mail(letter.recipient, letter.text),
        expires_at=now + letter.lifetime,
        due_at=now,
    )
    session.add(mail)


def are_due(database: Database) -> bool:
    with database.read() as session:
        return session.scalar(select(Mail.id).where(Mail.due_at <= utcnow()).limit(1)) is not None


def claim(database: Database, seconds: float) -> Mail | None:
    """Claim the mail that has been due longest, for so many seconds. Return None if none is due."""
    now = utcnow()
    with database.read() as session:
        oldest = select(Mail.id, Mail.tries).where(Mail.due_at <= now).order_by(Mail.due_at).limit(CANDIDATES)
        candidates = session.execute(oldest).all()
    for mail_id, tries in candidates:
        mine = (Mail.id == mail_id) & (Mail.tries == tries) & (Mail.due_at <= now)
        values = {"tries": tries + 1, "due_at": now + timedelta(seconds=seconds)}
        with database.write() as session:
            mail: Mail | None = session.scalar(update(Mail).where(mine).values(values).returning(Mail))
            if mail:
                return mail
    return None


def remove(database: Database, mail: Mail) -> None:
    """Delete a mail that was sent, or is given up."""
    with database.write() as session:
        session.execute(delete(Mail).where(Mail.id == mail.id))


def try_later(database: Database, mail: Mail) -> bool:
    """Note when a mail that failed is due again. If it expires before that, delete it and return False."""
    seconds = SCHEDULE[min(mail.tries, len(SCHEDULE)) - 1] * random.uniform(1, 1 + JITTER)
    due_at = utcnow() + timedelta(seconds=seconds)
    if due_at >= mail.expires_at:
        remove(database, mail)
        return False
    held = (Mail.id == mail.id) & (Mail.tries == mail.tries)
    with database.write() as session:
        session.execute(update(Mail).where(held).values(due_at=due_at))
    return True
