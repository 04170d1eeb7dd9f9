"""Sessions of signed-in people, one for each browser, so that each can be seen and ended.

A cookie has the session's number and a secret, which is stored as a hash only. Incrementing an account's
`session_version` ends all of its sessions at once.
"""

import hmac
import re
import secrets
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Index, String, and_, bindparam, delete, select, update
from sqlalchemy.orm import Mapped, mapped_column

from jobs.runs import audit, owner_key, people
from jobs.storage import Base, Database, UtcDateTime, utcnow
from webapp.accounts.tokens import digest_of
from webapp.accounts.users import NEVER, Account

SECRET_BYTES = 32
UNUSED = timedelta(days=14)  # a session ends when it has not been used for so long,
LONGEST = timedelta(days=30)  # and at the latest after this
# The use of a session is recorded at most this often, so that requests seldom write.
USE = timedelta(minutes=10)
BROWSERS = {"Edg": "Edge", "OPR": "Opera", "Firefox": "Firefox", "Chrome": "Chrome", "Safari": "Safari"}
SYSTEMS = {
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Android": "Android",
    "Windows": "Windows",
    "Mac OS X": "macOS",
    "CrOS": "ChromeOS",
    "Linux": "Linux",
}


class Session(Base):
    """A session. `confirmed_at` is when its owner last gave the password in it."""

    __tablename__ = "sessions"
    __table_args__ = (Index("ix_sessions_owner", "owner_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int] = mapped_column(owner_key("sessions"))
    digest: Mapped[str] = mapped_column(String(64))
    version: Mapped[int]
    device: Mapped[str] = mapped_column(String(60))
    ip_address: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_used_at: Mapped[datetime] = mapped_column(UtcDateTime)
    confirmed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


VALID = and_(
    Session.version == Account.session_version,
    Session.last_used_at > bindparam("used_after"),
    Session.created_at > bindparam("created_after"),
    Account.is_active,
)
# Built once, because every request executes it, and building it takes longer.
WITH_ACCOUNT = (
    select(Session, Account)
    .join(Account, Account.id == Session.owner_id)
    .where(Session.id == bindparam("number"), VALID)
)


def begin(
    database: Database,
    user: Account,
    user_agent: str = "",
    ip_address: str = "",
    confirmed_at: datetime | None = None,
) -> str:
    """Store a new session, forget the owner's expired ones, and return the text for the cookie."""
    secret, now = secrets.token_urlsafe(SECRET_BYTES), utcnow()
    new = Session(
        owner_id=user.id,
        digest=digest_of(secret),
        version=user.session_version,
        device=device_of(user_agent),
        ip_address=ip_address[:64],
        created_at=now,
        last_used_at=now,
        confirmed_at=confirmed_at or now,
    )
    with database.write() as session:
        people.keep(session, user.id)
        over = (Session.last_used_at < now - UNUSED) | (Session.created_at < now - LONGEST)
        session.execute(delete(Session).where(Session.owner_id == user.id, over))
        session.add(new)
        session.flush()
        audit.note(session, "logged in", user.email, after={"device": new.device})
        return f"{new.id}.{secret}"


def number_of(session_id: str) -> int:
    """Return the number of a session from the text in its cookie, or 0 if it has none."""
    number, _, _secret = session_id.partition(".")
    return int(number) if re.fullmatch("[0-9]{1,9}", number, re.ASCII) else 0


def account_of(database: Database, session_id: str) -> Account | None:
    """Return the active account of a valid session, or None; record that the session was used."""
    with database.read() as session:
        row = session.execute(WITH_ACCOUNT, {"number": number_of(session_id), **_limits()}).first()
    if row is None:
        return None
    found, account = row
    if not hmac.compare_digest(found.digest, digest_of(session_id.partition(".")[2])):
        return None
    if utcnow() - found.last_used_at > USE:
        with database.write() as session:
            session.execute(update(Session).where(Session.id == found.id).values(last_used_at=utcnow()))
    account.session_id, account.confirmed_at = session_id, found.confirmed_at or NEVER
    return account


def confirm(database: Database, number: int) -> None:
    """Note that the owner of a session has just given the password in it."""
    with database.write() as session:
        session.execute(update(Session).where(Session.id == number).values(confirmed_at=utcnow()))


def current(database: Database, numbers: Collection[int]) -> set[int]:
    """Return the numbers of those sessions that are still valid."""
    query = select(Session.id).join(Account, Account.id == Session.owner_id)
    with database.read() as session:
        return set(session.scalars(query.where(Session.id.in_(numbers), VALID), _limits()))


def listed(database: Database, owner_id: int) -> Sequence[Session]:
    """Return an owner's valid sessions, the last used one first."""
    query = select(Session).join(Account, Account.id == Session.owner_id)
    with database.read() as session:
        mine = query.where(Session.owner_id == owner_id, VALID)
        latest = mine.order_by(Session.last_used_at.desc(), Session.id.desc())
        return session.scalars(latest, _limits()).all()


def end(database: Database, owner_id: int, number: int) -> None:
    """End a session if it is this owner's."""
    with database.write() as session:
        mine = delete(Session).where(Session.id == number, Session.owner_id == owner_id).returning(Session.device)
        if device := session.scalar(mine):
            audit.note(session, "logged out", device)


def device_of(user_agent: str) -> str:
    """Return a browser and a system in words, such as "Firefox on Linux"."""
    browser = next((name for mark, name in BROWSERS.items() if mark in user_agent), "Unknown browser")
    system = next((name for mark, name in SYSTEMS.items() if mark in user_agent), "")
    return f"{browser} on {system}" if system else browser


def _limits() -> dict[str, datetime]:
    """Return the parameters of VALID."""
    now = utcnow()
    return {"used_after": now - UNUSED, "created_after": now - LONGEST}
