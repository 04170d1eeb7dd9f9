"""Users: who may sign in, and whether a session is still theirs."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from email_validator import EmailNotValidError, validate_email
from sqlalchemy import ColumnElement, ForeignKeyConstraint, String, select, true, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column

from jobs.runs import Run, SecretRow
from jobs.storage import Base, Database, UtcDateTime, utcnow
from webapp.accounts import passwords


class User(Base):
    """A person with an account, who may sign in while it `is_active`.

    `session_version` grows when all sessions of theirs must end.
    """

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(254), unique=True)
    password_hash: Mapped[str] = mapped_column(String(255))
    session_version: Mapped[int] = mapped_column(default=1)
    is_admin: Mapped[bool] = mapped_column(default=False)
    is_active: Mapped[bool] = mapped_column(default=True, server_default=true())
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)

    is_authenticated = True
    is_anonymous = False

    def get_id(self) -> str:
        """What Flask-Login keeps in the session: a cookie copied before a sign-out carries an older version."""
        return session_id_of(self.id, self.session_version)


def session_id_of(user_id: int, session_version: int) -> str:
    return f"{user_id}.{session_version}"


# Runs and secrets know their owner only as a number, because jobs/ knows no people. The tables' constraints are added
# here, where both are known.
for _owned in (Run.__tablename__, SecretRow.__tablename__):
    Base.metadata.tables[_owned].append_constraint(
        ForeignKeyConstraint(["owner_id"], ["users.id"], name=f"fk_{_owned}_owner", ondelete="CASCADE")
    )


# The values of a user whose sessions all end.
ENDED = {"session_version": User.session_version + 1}


class EmailTaken(Exception):
    """There is an account with this e-mail address already."""


def normalised(email: str) -> str | None:
    """The address in the one spelling that is kept, or None when it is none."""
    try:
        found = validate_email(email.strip(), check_deliverability=False, globally_deliverable=False)
    except EmailNotValidError:
        return None
    return found.normalized.lower()


def create(database: Database, email: str, password: str) -> User:
    """Open an account. Raises EmailTaken."""
    user = User(email=email, password_hash=passwords.hash_password(password))
    try:
        with database.write() as session:
            session.add(user)
    except IntegrityError:
        raise EmailTaken from None
    return user


def with_password(database: Database, email: str, password: str) -> User | None:
    """The user whom these credentials belong to; takes as long when there is none."""
    with database.read() as session:
        user = session.scalar(select(User).where(User.email == email))
    return user if passwords.matches(user.password_hash if user else None, password) else None


def with_email(database: Database, email: str) -> User | None:
    """The user with this e-mail address, however it is spelled."""
    with database.read() as session:
        return session.scalar(select(User).where(User.email == normalised(email)))


def of_session(database: Database, session_id: str) -> User | None:
    """The user of a session that has not ended."""
    user_id, _, version = session_id.partition(".")
    if not (user_id.isdecimal() and version.isdecimal()):
        return None
    query = select(User).where(User.id == int(user_id), User.session_version == int(version), User.is_active)
    with database.read() as session:
        return session.scalar(query)


def current_sessions(database: Database, session_ids: Collection[str]) -> set[str]:
    """Those of these sessions that have not ended."""
    user_ids = {int(one.partition(".")[0]) for one in session_ids}
    with database.read() as session:
        users = session.execute(select(User.id, User.session_version).where(User.id.in_(user_ids), User.is_active))
        return {session_id_of(*user) for user in users} & set(session_ids)


def end_sessions(database: Database, user_id: int) -> None:
    """End every session of a user, copied cookies included."""
    _change(database, User.id == user_id, **ENDED)


def set_password(database: Database, user_id: int, password: str) -> User | None:
    """Change a password and end every session that was opened with the old one; the user, unless they are gone."""
    return _change(database, User.id == user_id, password_hash=passwords.hash_password(password), **ENDED)


def set_admin(database: Database, email: str, is_admin: bool) -> User | None:
    """Make a user an administrator, or no longer one; None when there is no such user."""
    return _change(database, User.email == email, is_admin=is_admin)


def set_active(database: Database, email: str, is_active: bool) -> User | None:
    """Let a user sign in, or no longer; the sessions that are open end for good. None when there is no such user."""
    return _change(database, User.email == email, is_active=is_active, **ENDED)


def _change(database: Database, which: ColumnElement[bool], **values: Any) -> User | None:
    with database.write() as session:
        return session.scalar(update(User).where(which).values(values).returning(User))
