"""API tokens: what a program presents instead of a session.

A token's secret is shown once and stored only as a SHA-256 hash: it has 256 random bits, so a slow hash would protect
nothing. A token allows what its scopes name, and never more than its owner may do at that moment.
"""

import hashlib
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import JSON, Index, String, bindparam, delete, func, or_, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from jobs.runs import audit, owner_key, people
from jobs.storage import Base, Database, UtcDateTime, utcnow
from webapp.accounts.users import Account

PREFIX = "dw_"
SECRET_BYTES = 32
LONGEST_NAME = 100
MOST_TOKENS = 50
# The use of a token is recorded at most this often, so that requests seldom write.
USE_SECONDS = 60

TASKS_READ, RUNS_READ, RUNS_WRITE, FILES, WEBHOOKS = "tasks:read", "runs:read", "runs:write", "files", "webhooks"
SCOPES = {
    TASKS_READ: "See the tasks and their parameters",
    RUNS_READ: "See runs, their output and results",
    RUNS_WRITE: "Start, stop, retry and delete runs",
    FILES: "Upload and download files",
    WEBHOOKS: "Manage webhooks",
}

# How long a token may be used, in days; 0 is forever.
LIFETIMES = {"30": "30 days", "90": "90 days", "365": "a year", "0": "until it is revoked"}


class TooManyTokens(Exception):
    """The owner has MOST_TOKENS tokens that have not expired."""


class Token(Base):
    """A token. `tasks` names the only tasks that it may be used for; if it is empty, it may be used for all."""

    __tablename__ = "tokens"
    __table_args__ = (Index("ix_tokens_owner", "owner_id"), Index("ix_tokens_digest", "digest", unique=True))

    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int] = mapped_column(owner_key("tokens"))
    name: Mapped[str] = mapped_column(String(LONGEST_NAME))
    digest: Mapped[str] = mapped_column(String(64))
    scopes: Mapped[list[str]] = mapped_column(JSON)
    tasks: Mapped[list[str]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


# Built once, because every request of a program executes the first.
VALID = or_(Token.expires_at.is_(None), Token.expires_at > bindparam(None, callable_=utcnow, type_=UtcDateTime))
OF_SECRET = (
    select(Token, Account)
    .join(Account, Account.id == Token.owner_id)
    .where(Token.digest == bindparam("digest"), VALID, Account.is_active)
)


@dataclass(frozen=True)
class Grant:
    """The rights that a token is made with."""

    name: str
    scopes: tuple[str, ...] = tuple(SCOPES)
    tasks: tuple[str, ...] = ()
    lifetime: timedelta | None = None


class Caller(NamedTuple):
    """An account and the token that a request presents for it."""

    account: Account
    token: Token

    def may(self, scope: str) -> bool:
        """Return whether the token has the scope."""
        return scope in self.token.scopes

    def is_for(self, task: str) -> bool:
        """Return whether the token may be used for the task."""
        return not self.token.tasks or task in self.token.tasks


def create(database: Database, owner_id: int, grant: Grant, replaces: bool = False) -> tuple[Token, str]:
    """Store a new token and return it with its secret.

    At the limit of tokens, one that `replaces` takes the place of the oldest of the same name. Raises TooManyTokens.
    """
    secret = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    expires_at = utcnow() + grant.lifetime if grant.lifetime else None
    token = Token(
        owner_id=owner_id,
        name=grant.name,
        digest=digest_of(secret),
        scopes=list(grant.scopes),
        tasks=list(grant.tasks),
        expires_at=expires_at,
    )
    with database.write() as session:
        people.keep(session, owner_id)
        session.execute(delete(Token).where(Token.owner_id == owner_id, Token.expires_at < utcnow()))
        count = session.scalar(select(func.count()).select_from(Token).where(Token.owner_id == owner_id))
        if (count or 0) >= MOST_TOKENS and not (replaces and _delete_oldest(session, token)):
            raise TooManyTokens
        session.add(token)
        audit.note(session, "token created", grant.name, after={"scopes": token.scopes, "tasks": token.tasks})
    return token, secret


def _delete_oldest(session: Session, like: Token) -> bool:
    same = (Token.owner_id == like.owner_id) & (Token.name == like.name)
    oldest = session.scalar(select(func.min(Token.id)).where(same))
    session.execute(delete(Token).where(Token.id == oldest))
    return oldest is not None


def listed(database: Database, owner_id: int) -> Sequence[Token]:
    """Return an owner's tokens that have not expired, newest first."""
    with database.read() as session:
        return session.scalars(select(Token).where(Token.owner_id == owner_id, VALID).order_by(Token.id.desc())).all()


def revoke(database: Database, owner_id: int, token_id: int) -> None:
    """Delete a token if it is this owner's."""
    with database.write() as session:
        mine = delete(Token).where(Token.id == token_id, Token.owner_id == owner_id).returning(Token.name)
        if name := session.scalar(mine):
            audit.note(session, "token revoked", name)


def caller_with(database: Database, secret: str) -> Caller | None:
    """Return the active account and token for a secret, or None; record that the token was used."""
    if not secret.startswith(PREFIX):
        return None
    with database.read() as session:
        row = session.execute(OF_SECRET, {"digest": digest_of(secret)}).first()
    if row is None:
        return None
    token, account = row
    if token.last_used_at is None or utcnow() - token.last_used_at > timedelta(seconds=USE_SECONDS):
        with database.write() as session:
            session.execute(update(Token).where(Token.id == token.id).values(last_used_at=utcnow()))
    return Caller(account, token)


def still_valid(database: Database, token_ids: Collection[int]) -> set[int]:
    """Return those of these tokens that have been neither revoked nor expired, and whose accounts are active."""
    query = select(Token.id).join(Account, Account.id == Token.owner_id)
    with database.read() as session:
        return set(session.scalars(query.where(Token.id.in_(token_ids), VALID, Account.is_active)))


def digest_of(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
