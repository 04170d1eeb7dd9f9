"""Migrations of the database schema."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from jobs.storage import Database

INI = Path(__file__).parents[2] / "alembic.ini"


def upgrade(database: Database) -> None:
    """Apply all pending migrations."""
    command.upgrade(_alembic(database), "head")


def is_current(database: Database) -> bool:
    """Return whether all migrations have been applied, and no unknown ones."""
    return _applied(database) == set(ScriptDirectory.from_config(_alembic(database)).get_heads())


def newer(database: Database) -> str | None:
    """Return a message if newer code has migrated the schema; None if this code knows all of its revisions."""
    script = ScriptDirectory.from_config(_alembic(database))
    unknown = _applied(database) - {one.revision for one in script.walk_revisions()}
    if not unknown:
        return None
    ours, theirs = ", ".join(script.get_heads()), ", ".join(sorted(unknown))
    way_back = f"update the code, or downgrade the schema with the newer code: alembic downgrade {ours}"
    return f"schema ({theirs}) is newer than this code: {way_back}"


def _applied(database: Database) -> set[str]:
    with database.engine.connect() as connection:
        return set(MigrationContext.configure(connection).get_current_heads())


def _alembic(database: Database) -> Config:
    return Config(INI, attributes={"database": database})
