"""Invitations: links with which a person creates an account while registration is not open to everybody.

An invitation is bound to an e-mail address, so that whoever opens it owns the address as far as the inviter knows. Its
secret is stored only as a hash, and the invitation is deleted in the transaction that creates the account.
"""

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ForeignKey, Index, String, delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from jobs.runs import Backend, Role, RoleText, audit, groups, mails, people, shares
from jobs.storage import Base, Database, PlainJson, UtcDateTime, utcnow
from webapp.accounts import letters, passwords
from webapp.accounts.tokens import digest_of
from webapp.accounts.users import Account, EmailTaken

SECRET_BYTES = 32
LIFETIME = timedelta(days=7)


class Invitation(Base):
    """An invitation that has not been used. `email` is None for the first account, whose owner nobody knows yet."""

    __tablename__ = "invitations"
    __table_args__ = (
        Index("ix_invitations_digest", "digest", unique=True),
        Index("ix_invitations_inviter", "inviter_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(String(64))
    email: Mapped[str | None] = mapped_column(String(254), unique=True)
    role: Mapped[Role] = mapped_column(RoleText, default=Role.MEMBER, server_default=Role.MEMBER.value)
    groups: Mapped[list[int] | None] = mapped_column(PlainJson)
    inviter_id: Mapped[int | None] = mapped_column(
        ForeignKey(Account.id, name="fk_invitations_inviter", ondelete="SET NULL")
    )
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)


@dataclass(frozen=True)
class Offer:
    """The role and the groups, by id, that an invitation gives."""

    role: Role = Role.MEMBER
    groups: Collection[int] = ()


A_MEMBER = Offer()


class NotInvited(Exception):
    """The invitation is unknown, used, revoked or expired."""


def create(
    backend: Backend,
    email: str,
    offer: Offer = A_MEMBER,
    inviter_id: int | None = None,
    lifetime: timedelta = LIFETIME,
) -> str:
    """Store an invitation in place of an earlier one to the same address, mail it, and return its secret.

    Raises EmailTaken if the address has an account.
    """
    with backend.database.write() as session:
        if inviter_id is not None:
            people.keep(session, inviter_id)
        if session.scalar(select(Account.id).where(Account.email == email)):
            raise EmailTaken
        secret = _store(session, email, offer, inviter_id, lifetime)
        if backend.settings.mail_url:
            mails.put(session, backend.vault, letters.invitation(backend.settings, email, secret, lifetime))
    return secret


def first(database: Database) -> str | None:
    """Return the secret of a new invitation for the first account, an administrator's, or None if there is one."""
    with database.write() as session:
        if session.scalar(select(Account.id).limit(1)) is not None:
            return None
        return _store(session, None, Offer(Role.ADMINISTRATOR), None, LIFETIME)


def _store(session: Session, email: str | None, offer: Offer, inviter_id: int | None, lifetime: timedelta) -> str:
    secret = secrets.token_urlsafe(SECRET_BYTES)
    new = Invitation(
        digest=digest_of(secret),
        email=email,
        role=offer.role,
        groups=sorted(offer.groups),
        inviter_id=inviter_id,
        expires_at=utcnow() + lifetime,
    )
    same = Invitation.email == email if email else Invitation.email.is_(None)
    session.execute(delete(Invitation).where(same | (Invitation.expires_at < utcnow())))
    session.add(new)
    audit.note(session, "invitation created", email or "the first account", after={"role": offer.role})
    return secret


def with_secret(database: Database, secret: str) -> Invitation | None:
    """Return the invitation with this secret, or None if there is none or it has expired."""
    is_it = (Invitation.digest == digest_of(secret)) & (Invitation.expires_at > utcnow())
    with database.read() as session:
        return session.scalar(select(Invitation).where(is_it))


def accept(database: Database, secret: str, email: str, password: str) -> Account:
    """Use an invitation up and create its account. `email` counts only if the invitation is to no address.

    Raises NotInvited, and EmailTaken if the address has an account.
    """
    hashed = passwords.hash_password(password)
    is_it = (Invitation.digest == digest_of(secret)) & (Invitation.expires_at > utcnow())
    used = delete(Invitation).where(is_it).returning(Invitation.email, Invitation.role, Invitation.groups)
    try:
        with database.write() as session:
            row = session.execute(used).first()
            if row is None:
                raise NotInvited
            user = Account(email=row.email or email, password_hash=hashed, role=row.role)
            session.add(user)
            session.flush()
            audit.note(session, "account created", user.email, after={"role": user.role})
            groups.set_groups_of(session, user.id, row.groups or ())
            if row.email:
                shares.claim(session, user.id, row.email)
    except IntegrityError:
        raise EmailTaken from None
    return user


def listed(database: Database) -> Sequence[Invitation]:
    """Return the invitations that can still be used, newest first."""
    with database.read() as session:
        return session.scalars(
            select(Invitation).where(Invitation.expires_at > utcnow()).order_by(Invitation.id.desc())
        ).all()


def revoke(database: Database, invitation_id: int) -> None:
    """Delete an invitation that has not been used."""
    with database.write() as session:
        gone = delete(Invitation).where(Invitation.id == invitation_id).returning(Invitation.email)
        if (row := session.execute(gone).first()) is not None:
            audit.note(session, "invitation revoked", row.email or "the first account")
