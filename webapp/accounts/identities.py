"""Identities: accounts as a provider knows them, by the provider's name and the subject that it calls the person.

An e-mail address is no identity: providers let people change it, and give it to somebody else later. So it never leads
to an account that exists already; its owner links the two, with the account's password, on the account page. An address
that the provider has verified counts for what an address counts otherwise: it may open an account where registration
is open, and it accepts an invitation.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Index, String, delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from config import Settings
from jobs.runs import Role, audit, groups, owner_key
from jobs.storage import Base, Database, UtcDateTime, utcnow
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


class NoMatch(Exception):
    """The provider names none of the groups for the person whose members may log in."""


class Linked(Exception):
    """The identity belongs to another account, or the account has another identity of the same provider."""


def account_of(database: Database, claims: Claims, settings: Settings) -> Account | None:
    """Return the account of an identity, active or not, with the rights that the claims give it, or None.

    Raises NoMatch.
    """
    _check(claims, settings)
    is_it = (Identity.issuer == claims.issuer) & (Identity.subject == claims.subject)
    with database.write() as session:
        identity = session.scalar(select(Identity).where(is_it).with_for_update())
        if identity is None:
            return None
        identity.last_used_at = utcnow()
        user = session.get_one(Account, identity.owner_id, with_for_update=True)
        if user.is_active:
            apply_claims(session, user, claims, settings)
    return user


def join(database: Database, claims: Claims, settings: Settings) -> Account:
    """Create an account for an identity that has none, where its verified address is invited or registration is open.

    Raises EmailTaken if the address has an account, NotKnown and NoMatch.
    """
    _check(claims, settings)
    valid = (Invitation.email == claims.email) & (Invitation.expires_at > utcnow())
    with database.write() as session:
        if not claims.email or settings.registers == "closed":
            raise NotKnown
        if session.scalar(select(Account.id).where(Account.email == claims.email)):
            raise EmailTaken
        used = delete(Invitation).where(valid).returning(Invitation.role, Invitation.groups)
        invited = session.execute(used).first()
        if invited is None and settings.registers != "open":
            raise NotKnown
        user = Account(email=claims.email, password_hash="", role=invited.role if invited else Role.MEMBER)
        session.add(user)
        session.flush()
        session.add(_identity(user.id, claims))
        audit.note(session, "account created", user.email, after={"role": user.role, "subject": claims.subject})
        groups.set_groups_of(session, user.id, (invited and invited.groups) or ())
        apply_claims(session, user, claims, settings)
    return user


def apply_claims(session: Session, user: Account, claims: Claims, settings: Settings) -> None:
    """Give an account the role and the groups that the provider's claims say.

    The role counts only with OIDC_ADMINISTRATORS. Of the groups, those in OIDC_GROUPS follow the claims.
    """
    if settings.oidc_administrators:
        _give_role(session, user, bool(claims.groups & settings.oidc_administrators))
    if settings.oidc_groups:
        managed = groups.with_names(session, settings.oidc_groups)
        others = groups.of_person_in(session, user.id).keys() - managed.keys()
        now = {group_id for group_id, name in managed.items() if name in claims.groups}
        groups.set_groups_of(session, user.id, others | now)


def _give_role(session: Session, user: Account, is_admin: bool) -> None:
    if user.is_admin == is_admin:
        return
    before, user.role = user.role, Role.ADMINISTRATOR if is_admin else Role.MEMBER
    audit.note(session, "role changed", user.email, {"role": before}, {"role": user.role})


def _check(claims: Claims, settings: Settings) -> None:
    wanted = settings.oidc_groups | settings.oidc_administrators
    if settings.oidc_groups and not claims.groups & wanted:
        raise NoMatch


def link(database: Database, owner_id: int, claims: Claims, settings: Settings) -> None:
    """Have an account signed in to by an identity. Repeating it has no effect. Raises Linked."""
    is_it = (Identity.issuer == claims.issuer) & (Identity.subject == claims.subject)
    try:
        with database.write() as session:
            user = session.get_one(Account, owner_id, with_for_update=True)
            if session.scalar(select(Identity.owner_id).where(is_it)) != owner_id:
                session.add(_identity(owner_id, claims))
                session.flush()
                audit.note(session, "sign-in linked", user.email, after={"subject": claims.subject})
            apply_claims(session, user, claims, settings)
    except IntegrityError:
        raise Linked from None


def unlink(database: Database, owner_id: int, issuer: str) -> None:
    """Have an account signed in to by its password alone, if it has one."""
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
