"""The entry point for Alembic: migrate the database given by the settings."""

from typing import Any

from alembic import context

import config
from jobs.runs import checkpoints, files, heartbeats, output, run_files, task_records, uploads, vault
from jobs.storage.database import Base, Database, UtcDateTime
from jobs.worker import leader
from webapp.accounts import throttle, users

# These imports register the tables of each module in the metadata.
__all__ = [
    "checkpoints",
    "files",
    "heartbeats",
    "leader",
    "output",
    "run_files",
    "task_records",
    "throttle",
    "uploads",
    "users",
    "vault",
]


def migrate() -> None:
    database = context.config.attributes.get("database") or _from_environment()
    with database.engine.connect() as connection:
        batch = database.engine.dialect.name == "sqlite"
        context.configure(
            connection=connection, target_metadata=Base.metadata, render_as_batch=batch, render_item=_render
        )
        with context.begin_transaction():
            context.run_migrations()
        connection.commit()


def _render(kind: str, item: Any, _context: Any) -> Any:
    """Render custom types as plain SQLAlchemy types, because a migration must not depend on code that may change."""
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(item, UtcDateTime) else False


def _from_environment() -> Database:
    settings = config.load()
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    return Database(settings.database, answer_seconds=None)


migrate()
