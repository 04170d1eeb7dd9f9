"""Migrations of the database schema.

Alembic is imported only to apply them: a start with a current schema, which nearly all are, goes without it.
"""

import re
from pathlib import Path

from sqlalchemy import inspect, text

from jobs.storage import Database

ROOT = Path(__file__).parents[2]
VERSIONS = ROOT / "migrations/versions"


def upgrade(database: Database) -> None:
    """Apply all pending migrations."""
    from alembic import command
    from alembic.config import Config

    command.upgrade(Config(ROOT / "alembic.ini", attributes={"database": database}), "head")


def is_current(database: Database) -> bool:
    """Return whether all migrations have been applied, and no unknown ones."""
    return _applied(database) == heads()


def newer(database: Database) -> str | None:
    """Return a message if newer code has migrated the schema; None if this code knows all of its revisions."""
    unknown = _applied(database) - _predecessors().keys()
    if not unknown:
        return None
    ours, theirs = ", ".join(heads()), ", ".join(sorted(unknown))
    way_back = f"update the code, or downgrade the schema with the newer code: alembic downgrade {ours}"
    return f"schema ({theirs}) is newer than this code: {way_back}"


def heads() -> set[str]:
    """Return the newest revisions of this code, those that no other one follows: one, unless branches were merged."""
    predecessors = _predecessors()
    return predecessors.keys() - set().union(*predecessors.values())


def _predecessors() -> dict[str, set[str]]:
    """Return the revisions that each revision follows, as its file says; the file's name begins with the revision."""
    return {file.name.partition("_")[0]: _followed(file.read_text()) for file in VERSIONS.glob("[!_]*_*.py")}


def _followed(migration: str) -> set[str]:
    (line,) = re.findall(r"^down_revision\b[^=]*=(.*)$", migration, re.MULTILINE)
    return set(re.findall(r"[\"'](\w+)[\"']", line))


def _applied(database: Database) -> set[str]:
    with database.engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return set()
        return set(connection.scalars(text("SELECT version_num FROM alembic_version")))
