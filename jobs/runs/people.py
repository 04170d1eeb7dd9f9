"""People, the owners of runs, files and secrets.

The table and every foreign key to it belong to jobs/, which uses a row to read the address and the role, and as a lock
that serialises changes to what its owner has. The columns for signing in belong to the web application, which adds them
to this table (webapp.accounts.users.Account). A second table would be purer, but every request would have to read both,
and an older version could not run beside a newer one while the columns move.
"""

from enum import StrEnum

from sqlalchemy import Enum, ForeignKey, String, false, select, true
from sqlalchemy.orm import Mapped, Session, mapped_column

from jobs.storage.database import Base, Database


class Role(StrEnum):
    """A person's role, from the least to the most rights; `jobs.runs.rights` says which."""

    VIEWER = "viewer"
    MEMBER = "member"
    MANAGER = "manager"
    ADMINISTRATOR = "administrator"


RoleText = Enum(Role, native_enum=False, length=16, values_callable=lambda roles: [role.value for role in roles])


class Person(Base):
    """A person. `weight` is their share of the workers' time against those of others who wait (jobs.runs.turns).

    With `mail_at_end` they get a mail when a run of theirs has ended (jobs.runs.run_mails).
    """

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(254), unique=True)
    role: Mapped[Role] = mapped_column(RoleText, default=Role.MEMBER, server_default=Role.MEMBER.value)
    is_active: Mapped[bool] = mapped_column(default=True, server_default=true())
    weight: Mapped[float] = mapped_column(default=1.0, server_default="1")
    mail_at_end: Mapped[bool] = mapped_column(default=False, server_default=false())


def owner_key(table: str) -> ForeignKey:
    """Return the foreign key of a table whose rows go with their owner's account."""
    return ForeignKey(Person.id, name=f"fk_{table}_owner", ondelete="CASCADE")


def address_of(database: Database, owner_id: int) -> str:
    """Return an owner's e-mail address, or an empty string if the account no longer exists."""
    with database.read() as session:
        return email_of(session, owner_id)


def email_of(session: Session, owner_id: int) -> str:
    return session.scalar(select(Person.email).where(Person.id == owner_id)) or ""


def role_of(session: Session, owner_id: int) -> Role | None:
    return session.scalar(select(Person.role).where(Person.id == owner_id))


class Gone(Exception):
    """A person whose account was deleted meanwhile."""


def keep(session: Session, owner_id: int) -> None:
    """Lock an owner against deletion until the transaction ends. Raises Gone.

    Lock, change and delete the owner's rows after this: who deletes the account locks it before them, too.
    """
    _lock(session, owner_id, read=True)


def in_turn(session: Session, owner_id: int) -> None:
    """Serialise this transaction with others that lock the same owner; adding runs is not blocked. Raises Gone."""
    _lock(session, owner_id, read=False)


def _lock(session: Session, owner_id: int, read: bool) -> None:
    found = session.scalar(select(Person.id).where(Person.id == owner_id).with_for_update(read=read, key_share=True))
    if found is None:
        raise Gone
