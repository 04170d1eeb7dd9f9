"""The entry point for Alembic: migrate the database given by the settings."""

import sys
from typing import Any

from alembic import context
from alembic.util import CommandError
from sqlalchemy.exc import SQLAlchemyError

import config
from jobs.runs import (
    audit,
    bulk,
    caps,
    checkpoints,
    files,
    groups,
    heartbeats,
    idempotency,
    mails,
    output,
    pauses,
    people,
    pins,
    predictions,
    presets,
    reserved_space,
    retention,
    run,
    run_files,
    run_tags,
    run_text,
    saved_filters,
    shares,
    task_records,
    turns,
    uploads,
    usage,
    vault,
    webhook,
)
from jobs.storage.database import Base, Database, UtcDateTime, unusable
from jobs.worker import (
    leader,
)
from webapp.accounts import (
    identities,
    invitations,
    proofs,
    resets,
    second_factors,
    sessions,
    throttle,
    tokens,
)
from webapp.server import migrations

# These imports register the tables of each module in the metadata.
__all__ = [
    "audit",
    "bulk",
    "caps",
    "checkpoints",
    "files",
    "groups",
    "heartbeats",
    "idempotency",
    "identities",
    "invitations",
    "leader",
    "mails",
    "output",
    "pauses",
    "people",
    "pins",
    "predictions",
    "presets",
    "proofs",
    "reserved_space",
    "resets",
    "retention",
    "run",
    "run_files",
    "run_tags",
    "run_text",
    "saved_filters",
    "second_factors",
    "sessions",
    "shares",
    "task_records",
    "throttle",
    "tokens",
    "turns",
    "uploads",
    "usage",
    "vault",
    "webhook",
]


def migrate() -> None:
    """Migrate the database that the caller has open, or the one of the settings: then errors are one line each."""
    if database := context.config.attributes.get("database"):
        _migrate(database)
        return
    try:
        database = _from_environment()
        if newer := migrations.newer(database):
            raise CommandError(f"The database's {newer}")
        _migrate(database)
    except (config.ConfigError, OSError) as error:
        raise CommandError(str(error)) from None
    except SQLAlchemyError as error:
        raise CommandError(unusable(error)) from None


def _migrate(database: Database) -> None:
    with database.engine.connect() as connection:
        batch = database.engine.dialect.name == "sqlite"
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            render_as_batch=batch,
            render_item=_render,
            include_name=_is_described,
        )
        with context.begin_transaction():
            context.run_migrations()
        connection.commit()


def _render(kind: str, item: Any, _context: Any) -> Any:
    """Render custom types as plain SQLAlchemy types, because a migration must not depend on code that may change."""
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(item, UtcDateTime) else False


def _is_described(name: str | None, kind: str, _parents: Any) -> bool:
    """Return whether the code describes what the database has: all but the index of words, which its migration makes.

    SQLite has tables for it.
    """
    return not (kind in ("table", "index") and name and name.startswith(("run_words", "ix_run_texts_words")))


def _from_environment() -> Database:
    try:
        settings = config.load()
    except config.ConfigError as error:
        sys.exit(str(error))
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    return Database(settings.database, answer_seconds=None)


migrate()
