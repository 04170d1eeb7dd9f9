"""The audit log: who changed which account, right, token or secret, and when.

An entry is committed with the change that it is about. Each has a digest of itself and of the digest before it, so that
an entry that is changed or removed later breaks the chain.

Whoever adds to the chain keeps others from it until the end of the transaction. So entries are written last, when it is
committed: whoever has the chain waits for nobody, in whatever order the rest of a transaction locks its rows.
"""

import hashlib
import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Index, String, event, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from jobs.runs.run import LARGEST_ID, RunId
from jobs.storage.database import Base, Database, PlainJson, UtcDateTime, utcnow

log = logging.getLogger("dumbwaiter.security")

ENTRIES_AT_ONCE = 500
LOCK = 0x64756D62  # a number that no other lock of the application has
NOTED = "entries of the audit log"
VERBS = (
    "account created",
    "account deleted",
    "account disabled",
    "account enabled",
    "address change begun",
    "address changed",
    "bulk action begun",
    "bulk action ended",
    "caps changed",
    "data exported",
    "filter deleted",
    "filter renamed",
    "filter saved",
    "group created",
    "group deleted",
    "group renamed",
    "groups changed",
    "invitation created",
    "invitation revoked",
    "logged in",
    "logged out",
    "logged out everywhere",
    "password changed",
    "password reset",
    "paused",
    "preferences changed",
    "preset changed",
    "preset deleted",
    "preset saved",
    "recovery code used",
    "recovery codes created",
    "registration begun",
    "reset link created",
    "resumed",
    "retention rule created",
    "retention rule deleted",
    "role changed",
    "run deleted",
    "run shared",
    "runs cancelled",
    "runs deleted",
    "secret deleted",
    "secret saved",
    "share revoked",
    "sign-in linked",
    "sign-in unlinked",
    "task's groups changed",
    "token created",
    "token revoked",
    "two-factor sign-in begun",
    "two-factor sign-in reset",
    "two-factor sign-in turned off",
    "two-factor sign-in turned on",
    "upload deleted",
    "webhook created",
    "webhook deleted",
    "webhook enabled",
    "webhook's secret changed",
    "weight changed",
    "worker drained",
    "worker resumed",
)
FIELDS = ("at", "actor", "verb", "object", "before", "after", "ip_address", "request_id")


class AuditEntry(Base):
    __tablename__ = "audit"
    __table_args__ = (
        Index("ix_audit_actor", "actor", "id"),
        Index("ix_audit_verb", "verb", "id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(RunId, primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    actor: Mapped[str] = mapped_column(String(254))
    verb: Mapped[str] = mapped_column(String(60))
    object: Mapped[str] = mapped_column(String(254))
    before: Mapped[Any] = mapped_column(PlainJson, nullable=True)
    after: Mapped[Any] = mapped_column(PlainJson, nullable=True)
    ip_address: Mapped[str] = mapped_column(String(64))
    request_id: Mapped[str] = mapped_column(String(32))
    digest: Mapped[str] = mapped_column(String(64))


@dataclass(frozen=True)
class Actor:
    """Who acts: an e-mail address or the name of a command, and the request that it comes with."""

    name: str
    ip_address: str = ""
    request_id: str = ""


def nobody() -> Actor:
    """Return the actor of what the application does by itself."""
    return Actor("the application")


# Asked when an entry is written, so that a request which changes nothing need not know its user.
who_acts: ContextVar[Callable[[], Actor]] = ContextVar("who_acts", default=nobody)


def note(
    session: Session,
    verb: str,
    what: str,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Add an entry to the transaction of a change, and a line to the security log once that is committed."""
    assert verb in VERBS
    actor = who_acts.get()()
    entry = AuditEntry(
        actor=actor.name[:254],
        verb=verb,
        object=what[:254],
        before=dict(before) if before else None,
        after=dict(after) if after else None,
        ip_address=actor.ip_address[:64],
        request_id=actor.request_id[:32],
    )
    noted: list[AuditEntry] = session.info.setdefault(NOTED, [])
    if not noted:
        event.listen(session, "before_commit", _write, once=True)
        event.listen(session, "after_commit", _tell, once=True)
    noted.append(entry)


def _write(session: Session) -> None:
    """Add the entries that were noted in a transaction to the chain. Other changes wait for its end from here on."""
    session.flush()  # rows that refer to an account lock it
    if session.get_bind().dialect.name == "postgresql":  # SQLite has one writer at a time anyway
        session.execute(select(func.pg_advisory_xact_lock(LOCK)))
    newest = select(func.max(AuditEntry.id)).scalar_subquery()
    digest = session.scalar(select(AuditEntry.digest).where(AuditEntry.id == newest)) or ""
    for entry in session.info[NOTED]:
        entry.at = utcnow()
        digest = entry.digest = _digest(digest, entry)
        session.add(entry)
        session.flush()


def _tell(session: Session) -> None:
    for entry in session.info[NOTED]:
        log.info("%s", _line(entry))


def _line(entry: AuditEntry) -> str:
    change = f" {json.dumps(entry.before)} -> {json.dumps(entry.after)}" if entry.after else ""
    place = f" from {entry.ip_address}, request {entry.request_id}" if entry.ip_address else ""
    return f"{entry.verb}: {entry.object}{change} by {entry.actor}{place}"


def listed(
    database: Database, actor: str = "", verb: str = "", before: int | None = None, limit: int = ENTRIES_AT_ONCE
) -> Sequence[AuditEntry]:
    """Return entries, newest first, with an id below `before`; of an actor and with a verb, if those are given."""
    query = select(AuditEntry).where(AuditEntry.id < (before or LARGEST_ID))
    if actor:
        query = query.where(AuditEntry.actor == actor)
    if verb:
        query = query.where(AuditEntry.verb == verb)
    with database.read() as session:
        return session.scalars(query.order_by(AuditEntry.id.desc()).limit(limit)).all()


def verify(database: Database) -> tuple[int, str, int | None]:
    """Follow the chain. Return how many entries fit, the last digest, and the id of the first that does not fit."""
    digest, count = "", 0
    for entry in _all(database):
        if entry.digest != _digest(digest, entry):
            return count, digest, entry.id
        digest, count = entry.digest, count + 1
    return count, digest, None


def _all(database: Database) -> Iterator[AuditEntry]:
    last = 0
    while True:
        query = select(AuditEntry).where(AuditEntry.id > last).order_by(AuditEntry.id).limit(ENTRIES_AT_ONCE)
        with database.read() as session:
            entries = session.scalars(query).all()
        yield from entries
        if len(entries) < ENTRIES_AT_ONCE:
            return
        last = entries[-1].id


def _digest(previous: str, entry: AuditEntry) -> str:
    values = {name: getattr(entry, name) for name in FIELDS}
    values["at"] = entry.at.isoformat()
    return hashlib.sha256(f"{previous}{json.dumps(values, sort_keys=True)}".encode()).hexdigest()
