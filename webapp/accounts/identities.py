"""Identities: accounts as a provider knows them, by the provider's name and the subject that it calls the person.

An e-mail address is no identity: providers let people change it, and give it to somebody else later. So it never leads
to an account that exists already; its owner links the two, with the account's password, on the account page. An address
that the provider has verified counts for what an address counts otherwise: it may open an account where registration
is open, and it accepts an invitation.
"""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import Index, String, delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from config import Settings
from jobs.runs import Role, audit, groups, owner_key, shares
from jobs.storage import Base, Database, UtcDateTime, utcnow
from webapp.accounts import users
from webapp.accounts.invitations import Invitation
from webapp.accounts.provider import Claims
from webapp.accounts.users import Account, EmailTaken


class Identity(Base):
    __tablename__ = "identities"
    __table_args__ = (
        Index("ix_identities_subject", "issuer", "subject", unique=True),
        Index("ix_identities_owner", "owner_id", "issuer", unique=True),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int] = mapped_column(owner_key("identities"))
    issuer: Mapped[str] = mapped_column(String(255))
    subject: Mapped[str] = mapped_column(String(255))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    last_used_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)


class NotKnown(Exception):
    """No account belongs to this identity, and none may be created for it."""


class Linked(Exception):
    """The identity belongs to another account, or the account has another identity of the same provider."""


def account_of(database: Database, claims: Claims, settings: Settings) -> Account | None:
    """Return the account of an identity, active or not, with the rights that the claims give it, or None."""
    is_it = (Identity.issuer == claims.issuer) & (Identity.subject == claims.subject)
    with database.write() as session:
        owner_id = session.scalar(select(Identity.owner_id).where(is_it))
        if owner_id is None:
            return None
        user = apply_claims(session, owner_id, claims, settings)
        session.execute(update(Identity).where(is_it).values(last_used_at=utcnow()))
        return user


def join(database: Database, claims: Claims, settings: Settings) -> Account:
    """Create an account for an identity that has none, where its verified address is invited or registration is open.

    Raises EmailTaken if the address has an account, and NotKnown.
    """
    try:
        with database.write() as session:
            return _joined(session, claims, settings)
    except IntegrityError:  # at the same moment, in another tab perhaps
        raise EmailTaken from None


def _joined(session: Session, claims: Claims, settings: Settings) -> Account:
    valid = (Invitation.email == claims.email) & (Invitation.expires_at > utcnow())
    if not claims.email or settings.registers == "closed":
        raise NotKnown
    if session.scalar(select(Account.id).where(Account.email == claims.email)):
        raise EmailTaken
    if settings.oidc_administrators:  # before the invitation: who deletes its inviter's account locks that before it
        users.locked_administrators(session)
    used = delete(Invitation).where(valid).returning(Invitation.role, Invitation.groups)
    invited = session.execute(used).first()
    if invited is None and not _may_register(claims.email, settings):
        raise NotKnown
    user = Account(email=claims.email, password_hash="", role=invited.role if invited else Role.MEMBER)
    session.add(user)
    session.flush()
    session.add(_identity(user.id, claims))
    shares.claim(session, user.id, user.email)
    apply_claims(session, user.id, claims, settings, (invited.groups if invited else None) or ())
    audit.note(session, "account created", user.email, after={"role": user.role, "subject": claims.subject})
    return user


def _may_register(email: str, settings: Settings) -> bool:
    domains = settings.registration_domains
    return settings.registers == "open" or (bool(domains) and users.domain_of(email) in domains)


def apply_claims(
    session: Session, owner_id: int, claims: Claims, settings: Settings, invited_to: Collection[int] = ()
) -> Account:
    """Return an account with the rights that the provider's claims say, as far as they are managed there.

    With OIDC_GROUPS_CLAIM, the groups of its values that exist here; with OIDC_ADMINISTRATORS, the role. The last
    administrator stays one, lest nobody be left who can change that.
    """
    names = settings.oidc_administrators
    administrators = users.locked_administrators(session) if names else ()
    user = session.get_one(Account, owner_id, with_for_update=True)
    if settings.oidc_groups_claim and user.is_active:
        groups.set_groups_of(session, owner_id, groups.with_names(session, claims.groups))
    elif invited_to:
        groups.set_groups_of(session, owner_id, invited_to)
    is_named = bool(claims.groups & names)
    if names and user.is_active and user.is_admin != is_named and [*administrators] != [owner_id]:
        role = Role.ADMINISTRATOR if is_named else Role.MEMBER
        audit.note(session, "role changed", user.email, {"role": user.role}, {"role": role})
        user.role = role
    return user


def link(database: Database, owner_id: int, claims: Claims, settings: Settings) -> None:
    """Link an account to an identity. Repeating it has no effect. Raises Linked."""
    is_it = (Identity.issuer == claims.issuer) & (Identity.subject == claims.subject)
    try:
        with database.write() as session:
            is_new = session.scalar(select(Identity.owner_id).where(is_it)) != owner_id
            if is_new:
                session.add(_identity(owner_id, claims))
                session.flush()
            user = apply_claims(session, owner_id, claims, settings)
            if is_new:
                audit.note(session, "sign-in linked", user.email, after={"subject": claims.subject})
    except IntegrityError:
        raise Linked from None


def unlink(database: Database, owner_id: int, issuer: str) -> None:
    """Unlink an account from its provider, if it has a password."""
    mine = delete(Identity).where(Identity.owner_id == owner_id, Identity.issuer == issuer)
    with database.write() as session:
        user = session.get_one(Account, owner_id, with_for_update=True)
        subject = session.scalar(mine.returning(Identity.subject)) if user.password_hash else None
        if subject is not None:
            audit.note(session, "sign-in unlinked", user.email, before={"subject": subject})


def of(database: Database, owner_id: int, issuer: str) -> Identity | None:
    """Return an account's identity of a provider."""
    with database.read() as session:
        return session.scalar(select(Identity).where(Identity.owner_id == owner_id, Identity.issuer == issuer))


def listed(database: Database, owner_id: int) -> Sequence[Identity]:
    """Return an account's identities of all providers there have been."""
    with database.read() as session:
        return session.scalars(select(Identity).where(Identity.owner_id == owner_id).order_by(Identity.id)).all()


def _identity(owner_id: int, claims: Claims) -> Identity:
    return Identity(owner_id=owner_id, issuer=claims.issuer, subject=claims.subject)
