"""Proofs of addresses: a link that was mailed to an address shows that whoever opens it reads the mails there.

Its secret is stored only as a hash. The password of a new account is chosen after the link was opened, so that nobody
can prepare an account whose address somebody else proves.
"""

import secrets
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Index, String, delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column

from jobs.runs import Backend, audit, mails, owner_key, shares
from jobs.storage import Base, Database, UtcDateTime, utcnow
from webapp.accounts import letters, passwords
from webapp.accounts.tokens import digest_of
from webapp.accounts.users import Account, EmailTaken

SECRET_BYTES = 32
LIFETIME = timedelta(hours=24)


class AddressProof(Base):
    """A link that has not been used. It is for a new account, or for a new address of its owner's."""

    __tablename__ = "address_proofs"
    __table_args__ = (
        Index("ix_address_proofs_digest", "digest", unique=True),
        Index("ix_address_proofs_owner", "owner_id"),
        Index("ix_address_proofs_email", "email"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(String(64))
    email: Mapped[str] = mapped_column(String(254))
    owner_id: Mapped[int | None] = mapped_column(owner_key("address_proofs"))
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)


class NotProved(Exception):
    """The link is unknown, used or expired."""


def is_it(secret: str) -> ColumnElement[bool]:
    """Return the condition for the link with this secret, while it works."""
    return (AddressProof.digest == digest_of(secret)) & (AddressProof.expires_at > utcnow())


def begin_registration(backend: Backend, email: str) -> None:
    """Mail a link for a new account, or, if the address has an account, a mail that says so."""
    secret, settings = secrets.token_urlsafe(SECRET_BYTES), backend.settings
    with backend.database.write() as session:
        account = session.scalar(select(Account).where(Account.email == email))
        if account is None:
            session.execute(delete(AddressProof).where(AddressProof.expires_at < utcnow()))
            session.add(AddressProof(digest=digest_of(secret), email=email, expires_at=utcnow() + LIFETIME))
            letter = letters.register(settings, email, secret, LIFETIME)
        else:
            letter = letters.has_account(settings, account)
        mails.put(session, backend.vault, letter)
        audit.note(session, "registration begun", email)


def address_to_register(database: Database, secret: str) -> str | None:
    """Return the address that a link for a new account proves, or None if the link cannot be used."""
    with database.read() as session:
        return session.scalar(select(AddressProof.email).where(is_it(secret), AddressProof.owner_id.is_(None)))


def register(database: Database, secret: str, password: str) -> Account:
    """Use a link up, with all others to its address, and create the account.

    Raises NotProved, and EmailTaken if the address has got an account meanwhile.
    """
    hashed = passwords.hash_password(password)
    used = delete(AddressProof).where(is_it(secret), AddressProof.owner_id.is_(None)).returning(AddressProof.email)
    try:
        with database.write() as session:
            email = session.scalar(used)
            if email is None:
                raise NotProved
            user = Account(email=email, password_hash=hashed)
            session.add(user)
            session.execute(delete(AddressProof).where(AddressProof.email == email))
            session.flush()
            shares.claim(session, user.id, email)
            audit.note(session, "account created", email)
    except IntegrityError:
        raise EmailTaken from None
    return user
