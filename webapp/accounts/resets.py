"""Links with which a person sets a new password: mailed, or handed over by an administrator."""

import secrets
from datetime import datetime, timedelta

from sqlalchemy import Index, String, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from jobs.runs import Backend, audit, mails, owner_key, people
from jobs.storage import Base, Database, UtcDateTime, utcnow
from webapp.accounts import letters, passwords
from webapp.accounts.tokens import digest_of
from webapp.accounts.users import Account

SECRET_BYTES = 32
LIFETIME = timedelta(hours=24)
MAILED_LIFETIME = timedelta(hours=1)


class PasswordReset(Base):
    """A link that has not been used; there is one for each account at most. Its secret is stored as a hash."""

    __tablename__ = "password_resets"
    __table_args__ = (Index("ix_password_resets_digest", "digest", unique=True),)

    owner_id: Mapped[int] = mapped_column(owner_key("password_resets"), primary_key=True, autoincrement=False)
    digest: Mapped[str] = mapped_column(String(64))
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)


def create(database: Database, user_id: int) -> str:
    """Store a link in place of an earlier one for the same account, and return its secret."""
    with database.write() as session:
        email = session.scalar(select(Account.email).where(Account.id == user_id))
        return _store(session, user_id, email or "", LIFETIME)


def send(backend: Backend, user: Account) -> None:
    """Mail a link to the owner of an account, in place of an earlier one."""
    with backend.database.write() as session:
        secret = _store(session, user.id, user.email, MAILED_LIFETIME)
        mails.put(session, backend.vault, letters.reset(backend.settings, user, secret, MAILED_LIFETIME))


def _store(session: Session, user_id: int, email: str, lifetime: timedelta) -> str:
    secret = secrets.token_urlsafe(SECRET_BYTES)
    people.keep(session, user_id)
    session.execute(delete(PasswordReset).where(PasswordReset.owner_id == user_id))
    session.add(PasswordReset(owner_id=user_id, digest=digest_of(secret), expires_at=utcnow() + lifetime))
    audit.note(session, "reset link created", email)
    return secret


def account_for(database: Database, secret: str) -> Account | None:
    """Return the active account that a link is for, or None if the link is unknown, used or expired."""
    query = select(Account).join(PasswordReset, PasswordReset.owner_id == Account.id)
    is_it = (PasswordReset.digest == digest_of(secret)) & (PasswordReset.expires_at > utcnow())
    with database.read() as session:
        return session.scalar(query.where(is_it, Account.is_active))


def use(database: Database, secret: str, password: str) -> Account | None:
    """Use a link up: set the password and end all of the user's sessions. Return the account, or None as above."""
    hashed = passwords.hash_password(password)
    is_it = (PasswordReset.digest == digest_of(secret)) & (PasswordReset.expires_at > utcnow())
    with database.write() as session:
        owner = select(PasswordReset.owner_id).where(is_it).scalar_subquery()
        user = session.scalar(select(Account).where(Account.id == owner).with_for_update())
        used = delete(PasswordReset).where(is_it).returning(PasswordReset.owner_id)
        if user is None or session.scalar(used) is None or not user.is_active:
            return None
        user.password_hash = hashed
        user.session_version += 1
        audit.note(session, "password reset", user.email)
    return user
