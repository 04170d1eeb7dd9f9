"""The database's schema, as the migrations make it."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from jobs.storage import Database

INI = Path(__file__).parents[2] / "alembic.ini"


def upgrade(database: Database) -> None:
    """Bring the schema up to date."""
    command.upgrade(_alembic(database), "head")


def is_current(database: Database) -> bool:
    """Whether all migrations have been applied, and no others."""
    return _applied(database) == set(ScriptDirectory.from_config(_alembic(database)).get_heads())


def newer(database: Database) -> str | None:
    """What to say of a schema that newer code has migrated; None for one that this code knows."""
    script = ScriptDirectory.from_config(_alembic(database))
    unknown = _applied(database) - {one.revision for one in script.walk_revisions()}
    if not unknown:
        return None
    ours, theirs = ", ".join(script.get_heads()), ", ".join(sorted(unknown))
    way_back = f"update the code, or have the newer code take the schema back: alembic downgrade {ours}"
    return f"schema, {theirs}, is newer than this code: {way_back}"


def _applied(database: Database) -> set[str]:
    with database.engine.connect() as connection:
        return set(MigrationContext.configure(connection).get_current_heads())


def _alembic(database: Database) -> Config:
    return Config(INI, attributes={"database": database})
