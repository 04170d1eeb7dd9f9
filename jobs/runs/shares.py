"""Shares: runs that their owners show to a person, to a group, or to whoever has a link.

`jobs.runs.rights` decides what follows from them. A share with a person is for an address, whether it has an account or
not, so that nobody learns which addresses have one. It counts for the account that has the address at that moment, or
else for the next one whose address is proved (`claim`), and stays that account's if the address changes later. A link's
secret is shown once and stored only as a hash.
"""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    ForeignKey,
    Index,
    Select,
    String,
    delete,
    exists,
    false,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from jobs.runs import audit, events, people
from jobs.runs.access import PARTS
from jobs.runs.backend import Backend
from jobs.runs.groups import Group, GroupMember
from jobs.runs.people import Person, owner_key
from jobs.runs.run import Run, run_key
from jobs.storage.database import Base, Database, UtcDateTime, utcnow

MOST_SHARES = 50
SECRET_BYTES = 32
# How long a link may work, in days.
LIFETIMES = (1, 7, 30, 90, 365)
USUAL_LIFETIME = 30


class Share(Base):
    """A share: with a person (`email`), a group, or whoever has a link (`digest`), and the parts that it includes.

    `visits` counts how often a link's page was opened.
    """

    __tablename__ = "shares"
    __table_args__ = (
        Index("ix_shares_run", "run_id"),
        Index("ix_shares_owner", "owner_id", "id"),
        Index("ix_shares_person", "person_id", "run_id"),
        Index("ix_shares_group", "group_id", "run_id"),
        Index("ix_shares_email", "email"),
        Index("ix_shares_digest", "digest", unique=True),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(run_key("shares"))
    owner_id: Mapped[int] = mapped_column(owner_key("shares"))
    email: Mapped[str | None] = mapped_column(String(254))
    person_id: Mapped[int | None] = mapped_column(ForeignKey(Person.id, name="fk_shares_person", ondelete="CASCADE"))
    group_id: Mapped[int | None] = mapped_column(ForeignKey(Group.id, name="fk_shares_group", ondelete="CASCADE"))
    digest: Mapped[str | None] = mapped_column(String(64))
    parameters: Mapped[bool]
    log: Mapped[bool]
    files: Mapped[bool]
    signed_in: Mapped[bool] = mapped_column(default=False, server_default=false())
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    visits: Mapped[int] = mapped_column(default=0, server_default="0")
    visited_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    group_name = ""  # of a share that was listed

    @property
    def parts(self) -> list[str]:
        """The names of the parts that it includes."""
        return [part for part in PARTS if getattr(self, part)]

    @property
    def kind(self) -> str:
        return "link" if self.digest else "group" if self.group_id else "person"

    @property
    def whom(self) -> str:
        """Whom the run is shared with, in words."""
        return self.email or self.group_name or "whoever has the link"


@dataclass(frozen=True)
class Parts:
    """The parts of a run that a share includes."""

    parameters: bool = False
    log: bool = False
    files: bool = False


@dataclass(frozen=True)
class Terms:
    """The terms of a link: the days that it works, and whether only for people who are signed in."""

    days: int = USUAL_LIFETIME
    signed_in: bool = False


class NotShared(Exception):
    """The run, or the group that it is to be shared with, does not exist, or the run is not this owner's."""


class TooManyShares(Exception):
    """The run has MOST_SHARES shares."""


class OwnAddress(Exception):
    """The address is the owner's own."""


def with_person(backend: Backend, owner_id: int, run_id: int, email: str, parts: Parts) -> Share:
    """Share a run with whoever has an address. Sharing it again changes the parts.

    Raises NotShared, OwnAddress and TooManyShares.
    """
    share = Share(run_id=run_id, owner_id=owner_id, email=email, **vars(parts))
    with backend.database.write() as session:
        _lock(session, share)
        if people.email_of(session, owner_id) == email:
            raise OwnAddress
        share.person_id = session.scalar(select(Person.id).where(Person.email == email))
        share = _put(session, share, Share.email == email)
    events.publish_rights(backend.redis, owner_id)
    return share


def with_group(backend: Backend, owner_id: int, run_id: int, group_id: int, parts: Parts) -> Share:
    """Share a run with a group. Sharing it again changes the parts. Raises NotShared and TooManyShares."""
    share = Share(run_id=run_id, owner_id=owner_id, group_id=group_id, **vars(parts))
    with backend.database.write() as session:
        _lock(session, share)
        if session.scalar(_kept(select(Group.id).where(Group.id == group_id))) is None:
            raise NotShared
        share = _put(session, share, Share.group_id == group_id)
    events.publish_rights(backend.redis, owner_id)
    return share


def by_link(backend: Backend, owner_id: int, run_id: int, parts: Parts, terms: Terms) -> tuple[Share, str]:
    """Share a run by a new link. Return the share and the link's secret. Raises NotShared and TooManyShares."""
    secret = secrets.token_urlsafe(SECRET_BYTES)
    share = Share(run_id=run_id, owner_id=owner_id, digest=digest_of(secret), signed_in=terms.signed_in, **vars(parts))
    share.expires_at = utcnow() + timedelta(days=terms.days)
    with backend.database.write() as session:
        _lock(session, share)
        return _put(session, share, false()), secret


def revoke(backend: Backend, share_id: int, owner_id: int | None = None, run_id: int | None = None) -> bool:
    """End a share, if it is this owner's and of this run where those are given. Return whether there was one."""
    with backend.database.write() as session:
        share = session.get(Share, share_id, with_for_update=True)
        if share is None or owner_id not in (None, share.owner_id) or run_id not in (None, share.run_id):
            return False
        _name_groups(session, [share])
        session.delete(share)
        audit.note(session, "share revoked", f"run {share.run_id}", before=_shown(share), after={"shared": False})
    events.publish_rights(backend.redis, share.owner_id)
    return True


def of_run(database: Database, owner_id: int, run_id: int) -> Sequence[Share]:
    """Return the shares of an owner's run that count, oldest first."""
    return _listed(database, (Share.run_id == run_id) & (Share.owner_id == owner_id), Share.id, MOST_SHARES)


def of_owner(database: Database, owner_id: int) -> Sequence[Share]:
    """Return all shares that somebody has made and that count."""
    return _listed(database, Share.owner_id == owner_id, Share.id, None)


def newest(database: Database, before: int, limit: int) -> Sequence[Share]:
    """Return everybody's shares that count, newest first, with an id below `before`."""
    return _listed(database, Share.id < before, Share.id.desc(), limit)


def runs_shared_with(session: Session, person_id: int, before: int, limit: int) -> Sequence[int]:
    """Return the ids of runs below `before` that others share with a person or their groups, newest first."""
    theirs = select(GroupMember.group_id).where(GroupMember.member_id == person_id)
    with_them = (Share.person_id == person_id) | Share.group_id.in_(theirs)
    of_others = (Share.owner_id != person_id) & Person.is_active & (Share.run_id < before)
    query = select(Share.run_id).join(Person, Person.id == Share.owner_id).where(with_them, of_others).distinct()
    return session.scalars(query.order_by(Share.run_id.desc()).limit(limit)).all()


def claim(session: Session, person_id: int, email: str) -> None:
    """Give a person whose address has just been proved what was shared with it while it had no account."""
    waiting = (Share.email == email) & Share.person_id.is_(None)
    session.execute(update(Share).where(waiting).values(person_id=person_id))


def visit(database: Database, share_id: int) -> None:
    """Count that a link's page was opened."""
    values = {"visits": Share.visits + 1, "visited_at": utcnow()}
    with database.change() as connection:
        connection.execute(update(Share).where(Share.id == share_id).values(values))


def is_shared() -> ColumnElement[bool]:
    """Return the condition, for a query of runs, that somebody else sees a run, or has a link to it that works."""
    return exists().where(Share.run_id == Run.id, counts())


def counts() -> ColumnElement[bool]:
    """Return the condition that a share has not expired."""
    return or_(Share.expires_at.is_(None), Share.expires_at > utcnow())


def digest_of(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()


def _kept(query: Select[int]) -> Select[int]:
    """Return a query that also keeps its row from being deleted until the transaction ends."""
    return query.with_for_update(read=True, key_share=True)


def _lock(session: Session, share: Share) -> None:
    """Serialise the shares that an owner makes, and keep the run. Raises NotShared if it is not this owner's."""
    people.in_turn(session, share.owner_id)
    if session.scalar(_kept(select(Run.id).where(Run.id == share.run_id, Run.owner_id == share.owner_id))) is None:
        raise NotShared


def _put(session: Session, new: Share, is_it: ColumnElement[bool]) -> Share:
    """Give the share that is it the parts of the new one, or add that. What has expired of this owner's makes room."""
    session.execute(delete(Share).where(Share.owner_id == new.owner_id, Share.expires_at < utcnow()))
    found = session.scalar(select(Share).where(Share.run_id == new.run_id, is_it))
    share, before = found or new, None
    if found:
        _name_groups(session, [found])
        before = _shown(found)
        for part in PARTS:
            setattr(found, part, getattr(new, part))
    else:
        count = session.scalar(select(func.count()).select_from(Share).where(Share.run_id == new.run_id))
        if (count or 0) >= MOST_SHARES:
            raise TooManyShares
        session.add(new)
        _name_groups(session, [new])
    audit.note(session, "run shared", f"run {new.run_id}", before, _shown(share))
    return share


def _shown(share: Share) -> dict[str, Any]:
    """Return what the audit log shows of a share."""
    return {"with": share.whom, "parts": share.parts} | ({"signed_in": share.signed_in} if share.digest else {})


def _listed(database: Database, which: ColumnElement[bool], order: Any, limit: int | None) -> Sequence[Share]:
    with database.read() as session:
        found = session.scalars(select(Share).where(which, counts()).order_by(order).limit(limit)).all()
        _name_groups(session, found)
    return found


def _name_groups(session: Session, shares: Sequence[Share]) -> None:
    wanted = {share.group_id for share in shares if share.group_id}
    rows = session.execute(select(Group.id, Group.name).where(Group.id.in_(wanted))) if wanted else ()
    names = {group_id: name for group_id, name in rows}
    for share in shares:
        share.group_name = names.get(share.group_id or 0, "")
