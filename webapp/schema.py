"""The database's schema, as the migrations make it."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from jobs import Database

INI = Path(__file__).parent.parent / "alembic.ini"


def upgrade(database: Database) -> None:
    """Bring the schema up to date."""
    command.upgrade(_alembic(database), "head")


def is_current(database: Database) -> bool:
    """Whether all migrations have been applied, and no others."""
    heads = ScriptDirectory.from_config(_alembic(database)).get_heads()
    with database.engine.connect() as connection:
        return set(MigrationContext.configure(connection).get_current_heads()) == set(heads)


def _alembic(database: Database) -> Config:
    return Config(INI, attributes={"database": database})
