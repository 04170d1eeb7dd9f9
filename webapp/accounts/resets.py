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


def create(backend: Backend, user_id: int) -> str:
    """Store a link that an administrator hands over, in place of an earlier one, mail it, and return its secret."""
    with backend.database.write() as session:
        user, secret = _store(session, user_id, LIFETIME)
        if backend.settings.mail_url and user.is_active:
            mails.put(session, backend.vault, letters.handed_over(backend.settings, user, secret, LIFETIME))
    return secret


def send(backend: Backend, user_id: int) -> None:
    """Mail a link to the owner of an account who asks for one, in place of an earlier one."""
    with backend.database.write() as session:
        user, secret = _store(session, user_id, MAILED_LIFETIME)
        mails.put(session, backend.vault, letters.reset(backend.settings, user, secret, MAILED_LIFETIME))


def _store(session: Session, user_id: int, lifetime: timedelta) -> tuple[Account, str]:
    secret = secrets.token_urlsafe(SECRET_BYTES)
    people.keep(session, user_id)
    session.execute(delete(PasswordReset).where(PasswordReset.owner_id == user_id))
    session.add(PasswordReset(owner_id=user_id, digest=digest_of(secret), expires_at=utcnow() + lifetime))
    user = session.get_one(Account, user_id)
    audit.note(session, "reset link created", user.email)
    return user, secret


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
