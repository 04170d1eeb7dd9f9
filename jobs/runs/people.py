"""Who runs a task, as a task may know them.

jobs/ knows no people: accounts are the web application's. All that is used of them here is the row where an address
stands, also as what those wait at who change what is its owner's.
"""

from sqlalchemy import column, select, table
from sqlalchemy.orm import Session

from jobs.storage.database import Database

USERS = table("users", column("id"), column("email"))


def address_of(database: Database, owner_id: int) -> str:
    """The e-mail address of an owner, or an empty text when the account is gone."""
    with database.read() as session:
        return session.scalar(select(USERS.c.email).where(USERS.c.id == owner_id)) or ""


def in_turn(session: Session, owner_id: int) -> None:
    """Have transactions that say so of one owner follow each other; runs may be added meanwhile."""
    session.execute(select(USERS.c.id).where(USERS.c.id == owner_id).with_for_update(key_share=True))
