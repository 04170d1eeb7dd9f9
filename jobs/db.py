"""The database: two kinds of transaction, one that reads and one that writes."""

import random
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime, Dialect, Engine, create_engine, event
from sqlalchemy.engine import Connection
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.types import TypeDecorator

WRITE_LOCK_SECONDS = 15.0


def utcnow() -> datetime:
    return datetime.now(UTC)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime in UTC, also on SQLite, which keeps no time zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.replace(tzinfo=UTC) if value and value.tzinfo is None else value


class Base(DeclarativeBase):
    """The base of every table."""


class Database:
    """An engine and the sessions on it; opens no connection until the first session needs one."""

    def __init__(self, url: str) -> None:
        # Parameters are hidden from errors: what users write must reach neither logs nor the queue's dashboard.
        self.engine = create_engine(url, pool_pre_ping=not url.startswith("sqlite"), hide_parameters=True)
        if self.engine.dialect.name == "sqlite":
            _prepare_sqlite(self.engine)
        self._reader = self.engine.execution_options(reads_only=True)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that only reads: it never waits for a writer."""
        with Session(self._reader, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session whose transaction commits when the block ends, and rolls back when it raises."""
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    def close(self) -> None:
        """Close all connections, as must be done before a fork: SQLite's must not even be closed in another process."""
        self.engine.dispose()


def _prepare_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def set_pragmas(connection: DBAPIConnection, _record: Any) -> None:
        assert isinstance(connection, sqlite3.Connection)
        connection.isolation_level = None  # transactions begin where `begin` below says, not in the driver
        for pragma in ("busy_timeout=50", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            _patiently(lambda pragma=pragma: connection.execute(f"PRAGMA {pragma}"))

    # SQLite's default begins a transaction as a reader; two of them that then write lose an update or fail at once.
    # A writer therefore takes the lock at its first statement. The wait for it is a loop of short sleeps outside
    # SQLite, because in the web process a sleep lets other greenlets run and SQLite's own wait stops all of them.
    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        if connection.get_execution_options().get("reads_only"):
            connection.exec_driver_sql("BEGIN")
        else:
            _patiently(lambda: connection.exec_driver_sql("BEGIN IMMEDIATE"))


def _patiently(statement: Any) -> None:
    deadline = time.monotonic() + WRITE_LOCK_SECONDS
    while True:
        try:
            statement()
            return
        except (OperationalError, sqlite3.OperationalError) as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
        time.sleep(random.uniform(0.002, 0.02))
