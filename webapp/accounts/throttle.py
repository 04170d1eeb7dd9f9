"""Login throttling. Failures are stored in the database, so that they survive a restart."""

import hashlib
from datetime import datetime, timedelta

from sqlalchemy import Index, String, delete, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from jobs.storage import Base, Database, UtcDateTime, utcnow

WINDOW_SECONDS = 15 * 60

# Failures within the window after which attempts are rejected. The low limit counts one e-mail address from one IP
# address, so that a stranger cannot lock a user out. The high limits stop guessing from many IP addresses or for many
# accounts.
MOST_PER_PAIR = 5
MOST_PER_ADDRESS = 50
MOST_PER_EMAIL = 100

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
    place: Mapped[str] = mapped_column(String(LONGEST_PLACE))  # an IP address
    at: Mapped[datetime] = mapped_column(UtcDateTime)


def begin_attempt(database: Database, email: str, ip_address: str) -> int | None:
    """Record an attempt before the password is checked. Return its id, or None if there were too many.

    The attempt is committed before attempts are counted, so that concurrent attempts count each other.
    """
    digest = hashlib.sha256(email.encode()).hexdigest()
    attempt = LoginFailure(email_digest=digest, place=ip_address[:LONGEST_PLACE], at=utcnow())
    with database.write() as session:
        session.execute(delete(LoginFailure).where(LoginFailure.at < utcnow() - timedelta(seconds=WINDOW_SECONDS)))
        session.add(attempt)
    with database.write() as session:
        if not _too_many(session, attempt):
            return attempt.id
        session.execute(delete(LoginFailure).where(LoginFailure.id == attempt.id))
        return None


def _too_many(session: Session, attempt: LoginFailure) -> bool:
    this_email, this_address = LoginFailure.email_digest == attempt.email_digest, LoginFailure.place == attempt.place
    limits = (
        (this_email & this_address, MOST_PER_PAIR),
        (this_address, MOST_PER_ADDRESS),
        (this_email, MOST_PER_EMAIL),
    )
    counts = [(session.scalar(select(func.count()).select_from(LoginFailure).where(one)), most) for one, most in limits]
    return any((count or 0) > most for count, most in counts)


def clear_failures(database: Database, attempt_id: int) -> None:
    """Delete a successful attempt and the earlier failures for the same e-mail address from the same IP address."""
    with database.write() as session:
        attempt = session.get(LoginFailure, attempt_id)
        if attempt is None:
            return
        same = (LoginFailure.email_digest == attempt.email_digest) & (LoginFailure.place == attempt.place)
        session.execute(delete(LoginFailure).where(same))
