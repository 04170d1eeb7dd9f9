"""Access to user accounts, which belong to the web application.

jobs/ uses only a user's row: to read the e-mail address, and as a lock that serialises changes to what the user owns.
"""

from sqlalchemy import column, select, table
from sqlalchemy.orm import Session

from jobs.storage.database import Database

USERS = table("users", column("id"), column("email"))


def address_of(database: Database, owner_id: int) -> str:
    """Return an owner's e-mail address, or an empty string if the account no longer exists."""
    with database.read() as session:
        return session.scalar(select(USERS.c.email).where(USERS.c.id == owner_id)) or ""


def in_turn(session: Session, owner_id: int) -> None:
    """Serialise this transaction with others that lock the same owner; adding runs is not blocked."""
    session.execute(select(USERS.c.id).where(USERS.c.id == owner_id).with_for_update(key_share=True))
