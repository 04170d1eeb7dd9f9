"""User accounts."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from email_validator import EmailNotValidError, validate_email
from sqlalchemy import ColumnElement, String, false, select, true
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from config import Settings
from jobs.runs import Person, Role, audit, deliveries
from jobs.storage import Database, UtcDateTime, utcnow
from webapp.accounts import passwords

LONGEST_EMAIL = 320  # with spaces around it
NEVER = datetime(1970, 1, 1, tzinfo=UTC)


class Account(Person):
    """A person's account: the columns that signing in adds to the person's row.

    The user can log in while `is_active` is true. Incrementing `session_version` ends all of the user's sessions.
    """

    password_hash: Mapped[str] = mapped_column(String(255))
    session_version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    has_second_factor: Mapped[bool] = mapped_column(default=False, server_default=false())
    zone: Mapped[str] = mapped_column(String(64), default="", server_default="")  # empty: that of the browser

    is_authenticated = True
    is_anonymous = False

    session_id = ""  # the text in the cookie of the session that the account was found by
    confirmed_at = NEVER  # when the password was last given in that session

    @property
    def is_admin(self) -> bool:
        return self.role is Role.ADMINISTRATOR

    def get_id(self) -> str:
        """Return what Flask-Login stores in the session's cookie."""
        return self.session_id


# What the audit log shows of a change.
SHOWN = frozenset({"role", "is_active", "weight", "zone", "mail_at_end"})


class EmailTaken(Exception):
    """An account with this e-mail address already exists."""


class LastAdministrator(Exception):
    """A change that would leave no active administrator."""


def normalised(email: str) -> str | None:
    """Return the e-mail address in its stored spelling, or None if it is invalid."""
    if len(email) > LONGEST_EMAIL:  # validating a megabyte takes half a second
        return None
    try:
        found = validate_email(email.strip(), check_deliverability=False, globally_deliverable=False)
    except EmailNotValidError:
        return None
    return found.normalized.lower()


def domain_of(email: str) -> str:
    """Return the domain of an address in its stored spelling, as the domain name system has it."""
    return str(validate_email(email, check_deliverability=False, globally_deliverable=False).ascii_domain)


def may_use_password(user: Account, settings: Settings) -> bool:
    """Return whether a person may log in by password: with OIDC_ONLY, only administrators, lest all be locked out."""
    return user.is_admin or not settings.oidc_only


def create(database: Database, email: str, password: str) -> Account:
    """Create an account. Raises EmailTaken if the address is in use."""
    user = Account(email=email, password_hash=passwords.hash_password(password))
    try:
        with database.write() as session:
            session.add(user)
            session.flush()
            audit.note(session, "account created", email)
    except IntegrityError:
        raise EmailTaken from None
    return user


def with_password(database: Database, email: str, password: str) -> Account | None:
    """Return the user with these credentials, or None. Takes the same time if the account does not exist."""
    with database.read() as session:
        user = session.scalar(select(Account).where(Account.email == email))
    return user if passwords.matches(user.password_hash if user else None, password) else None


def with_email(database: Database, email: str) -> Account | None:
    """Return the user with this e-mail address in any spelling, or None."""
    with database.read() as session:
        return session.scalar(select(Account).where(Account.email == normalised(email)))


def with_id(database: Database, user_id: int) -> Account | None:
    """Return a user, active or not, or None."""
    with database.read() as session:
        return session.get(Account, user_id)


def search(database: Database, text: str, after: str, limit: int) -> Sequence[Account]:
    """Return users whose e-mail address contains the text, in the order of their addresses, from after one of them."""
    has_text = Account.email.contains(text.lower(), autoescape=True) if text else true()
    query = select(Account).where(has_text, Account.email > after.lower()).order_by(Account.email).limit(limit)
    with database.read() as session:
        return session.scalars(query).all()


def emails_of(session: Session, user_ids: Collection[int]) -> Mapping[int, str]:
    """Return the addresses of users by their ids."""
    found = session.execute(select(Account.id, Account.email).where(Account.id.in_(user_ids))) if user_ids else ()
    return {user_id: email for user_id, email in found}


def end_sessions(database: Database, user_id: int) -> Account | None:
    """End all sessions of a user. Return the user, or None if there is none."""
    return _change(database, Account.id == user_id, "logged out everywhere", ends=True)


def set_password(database: Database, user_id: int, password: str) -> Account | None:
    """Change a password and end all of the user's sessions. Return the user, or None if there is none."""
    hashed = passwords.hash_password(password)
    return _change(database, Account.id == user_id, "password changed", ends=True, password_hash=hashed)


def set_admin(database: Database, email: str, is_admin: bool) -> Account | None:
    """Make a user an administrator, or a member again. Return the user, or None if there is none."""
    role = Role.ADMINISTRATOR if is_admin else Role.MEMBER
    return _change(database, Account.email == email, "role changed", role=role)


def set_role(database: Database, user_id: int, role: Role) -> Account | None:
    """Give a user a role. Return the user, or None if there is none. Raises LastAdministrator."""
    return _change(database, Account.id == user_id, "role changed", leaves_one=True, role=role)


def set_active(database: Database, email: str, is_active: bool) -> Account | None:
    """Enable or disable an account and end its sessions. Return the user, or None if there is none.

    The webhooks of an account that is disabled are disabled, too. Only their owner enables them again.
    """
    verb = "account enabled" if is_active else "account disabled"
    return _change(database, Account.email == email, verb, ends=True, is_active=is_active)


def resign(database: Database, user_id: int) -> None:
    """End all sessions of a user whose account is about to be deleted. Raises LastAdministrator.

    An administrator is none from then on, so that two who leave at the same time do not each take the other as left.
    """
    _change(database, Account.id == user_id, "logged out everywhere", ends=True, leaves_one=True, role=Role.MEMBER)


def set_weight(database: Database, email: str, weight: float) -> Account | None:
    """Change a user's share of the workers' time. Return the user, or None if there is none."""
    return _change(database, Account.email == email, "weight changed", weight=weight)


def set_preferences(database: Database, user_id: int, zone: str, mail_at_end: bool) -> Account | None:
    """Change what a user has chosen. Return the user, or None if there is none."""
    return _change(database, Account.id == user_id, "preferences changed", zone=zone, mail_at_end=mail_at_end)


def locked_administrators(session: Session) -> Sequence[int]:
    """Lock the accounts of all administrators that are active, and return their ids."""
    is_administrator = (Account.role == Role.ADMINISTRATOR) & Account.is_active
    return session.scalars(select(Account.id).where(is_administrator).order_by(Account.id).with_for_update()).all()


def _change(
    database: Database,
    which: ColumnElement[bool],
    verb: str,
    ends: bool = False,
    leaves_one: bool = False,
    **values: Any,
) -> Account | None:
    """Change columns of an account, and end its sessions if asked to, and leave one administrator if asked to."""
    with database.write() as session:
        administrators = locked_administrators(session) if leaves_one else ()
        user = session.scalar(select(Account).where(which).with_for_update())
        if user is None:
            return None
        if [*administrators] == [user.id] and values["role"] is not Role.ADMINISTRATOR:
            raise LastAdministrator
        shown = [name for name in values if name in SHOWN]
        before = {name: getattr(user, name) for name in shown}
        for name, value in values.items():
            setattr(user, name, value)
        user.session_version += ends
        if not user.is_active:
            deliveries.disable_all_of(session, user.id)
        audit.note(session, verb, user.email, before, {name: values[name] for name in shown})
    return user
