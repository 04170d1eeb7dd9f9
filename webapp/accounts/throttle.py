"""Throttling of logins and registrations. Failures are stored in the database, so that they survive a restart."""

import contextlib
import hashlib
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Exists, Index, Select, String, delete, exists, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from jobs.runs import Backend, Person, owner_key, people
from jobs.storage import Base, Database, UtcDateTime, utcnow
from webapp.connections import is_here

WINDOW_SECONDS = 15 * 60

# Failures within the window after which attempts are rejected. The low limit counts one e-mail address from one
# place, so that a stranger cannot lock a user out. The high limits stop guessing from many IP addresses or for many
# accounts.
MOST_PER_PAIR = 5
MOST_PER_ADDRESS = 50
MOST_PER_EMAIL = 100

# New accounts, and links for new passwords, from one place within the window; mails to one address.
MOST_REGISTRATIONS = 20
MOST_MAILS = 3
MOST_LINKS = 100  # to runs, that do not work, of one place or person
KNOWN_DAYS = 180

LONGEST_PLACE = 64


class LoginFailure(Base):
    """A login attempt that has not succeeded."""

    __tablename__ = "login_failures"
    __table_args__ = (
        Index("ix_login_failures_email", "email_digest", "at"),
        Index("ix_login_failures_place", "place", "at"),
        Index("ix_login_failures_at", "at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    email_digest: Mapped[str] = mapped_column(String(64))
    place: Mapped[str] = mapped_column(String(LONGEST_PLACE))  # an IP address, or a network
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class KnownPlace(Base):
    """A place where a user has signed in. What strangers do elsewhere does not keep them out of it."""

    __tablename__ = "known_places"

    owner_id: Mapped[int] = mapped_column(owner_key("known_places"), primary_key=True, autoincrement=False)
    place: Mapped[str] = mapped_column(String(LONGEST_PLACE), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)


def begin_attempt(database: Database, email: str, place: str) -> int | None:
    """Record an attempt before the password is checked. Return its id, or None if there were too many.

    The attempt is committed before attempts are counted again, so that concurrent attempts count each other. One that
    is refused at the first count writes nothing.
    """
    digest = hashlib.sha256(email.encode(errors="replace")).hexdigest()
    attempt = LoginFailure(email_digest=digest, place=place, at=utcnow())
    with database.read() as session:
        if _too_many(session, attempt, email, 1):
            return None
    with database.write() as session:
        session.execute(delete(LoginFailure).where(LoginFailure.at < _window()))
        session.add(attempt)
    with database.write() as session:
        if not _too_many(session, attempt, email, 0):
            return attempt.id
        session.execute(delete(LoginFailure).where(LoginFailure.id == attempt.id))
        return None


def begin_code_attempt(database: Database, user: Person, place: str) -> int | None:
    """Record an attempt to sign in with a code, as above.

    Places where the user has never signed in count as one: whoever guesses there has the password.
    """
    with database.read() as session:
        is_known = session.scalar(select(_is_known(user.email, place)))
    return begin_attempt(database, f"codes of {user.id}", place if is_known else f"elsewhere {user.id}")


def _too_many(session: Session, attempt: LoginFailure, email: str, more: int) -> bool:
    """Return whether the recorded attempts, and so many more, are above a limit."""
    this_email, this_place = LoginFailure.email_digest == attempt.email_digest, LoginFailure.place == attempt.place
    limits: list[tuple[ColumnElement[bool], int]] = [(this_email & this_place, MOST_PER_PAIR)]
    if not session.scalar(select(_is_known(email, attempt.place))):
        limits += [(this_place, MOST_PER_ADDRESS), (this_email, MOST_PER_EMAIL)]
    counts = ((session.scalar(_count(one)), most) for one, most in limits)
    return any((count or 0) + more > most for count, most in counts)


def _is_known(email: str, place: str) -> Exists:
    owner = select(Person.id).where(Person.email == email).scalar_subquery()
    return exists().where(KnownPlace.owner_id == owner, KnownPlace.place == place)


def _count(which: ColumnElement[bool]) -> Select[Any]:
    return select(func.count()).select_from(LoginFailure).where(which, LoginFailure.at >= _window())


def _window() -> datetime:
    return utcnow() - timedelta(seconds=WINDOW_SECONDS)


def note_place(database: Database, owner_id: int, place: str) -> None:
    """Note that a user has signed in at a place. Usually it is known, and then nothing is written."""
    with database.read() as session:
        if session.get(KnownPlace, (owner_id, place)):
            return
    with contextlib.suppress(IntegrityError), database.write() as session:
        people.keep(session, owner_id)
        old = utcnow() - timedelta(days=KNOWN_DAYS)
        session.execute(delete(KnownPlace).where(KnownPlace.owner_id == owner_id, KnownPlace.at < old))
        session.add(KnownPlace(owner_id=owner_id, place=place))


def may_register(backend: Backend, place: str) -> bool:
    """Return whether another account may be created from a place, and record the attempt.

    During development this machine may create any number.
    """
    return _may_from(backend, "registration", place)


def may_ask_for_reset(backend: Backend, place: str) -> bool:
    """Return whether another link for a new password may be asked for from a place, and record that, as above."""
    return _may_from(backend, "reset", place)


def may_open_links(backend: Backend, reader: str) -> bool:
    """Return whether a person or place has not tried too many links that do not work."""
    name = _of_links(reader)
    with backend.database.read() as session:
        return (session.scalar(_count(LoginFailure.email_digest == name)) or 0) < MOST_LINKS


def note_wrong_link(backend: Backend, reader: str) -> None:
    """Record that a person or place has tried a link that does not work."""
    _note(backend.database, _of_links(reader))


def _of_links(reader: str) -> str:
    return f"link {reader}"[:64]


def may_mail(database: Database, email: str) -> bool:
    """Return whether strangers may cause another mail to an address, and record it."""
    return _may(database, f"mail {hashlib.sha256(email.encode(errors='replace')).hexdigest()}", MOST_MAILS)


def _may_from(backend: Backend, what: str, place: str) -> bool:
    if is_here(place) and not backend.settings.production:
        return True
    return _may(backend.database, f"{what} {place}", MOST_REGISTRATIONS)


def _may(database: Database, what: str, most: int) -> bool:
    """Count something under a name that no digest of an e-mail address has."""
    name = what[:64]
    with database.read() as session:
        if (session.scalar(_count(LoginFailure.email_digest == name)) or 0) >= most:
            return False
    _note(database, name)
    return True


def _note(database: Database, name: str) -> None:
    with database.write() as session:
        session.execute(delete(LoginFailure).where(LoginFailure.at < _window()))
        session.add(LoginFailure(email_digest=name, place="", at=utcnow()))


def clear_failures(database: Database, attempt_id: int) -> None:
    """Delete a successful attempt and the earlier failures for the same e-mail address from the same IP address."""
    with database.write() as session:
        attempt = session.get(LoginFailure, attempt_id)
        if attempt is None:
            return
        same = (LoginFailure.email_digest == attempt.email_digest) & (LoginFailure.place == attempt.place)
        session.execute(delete(LoginFailure).where(same))
