"""The database: two kinds of transaction, one that reads and one that writes."""

import json
import random
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    CTE,
    JSON,
    DateTime,
    Dialect,
    Engine,
    Select,
    Text,
    bindparam,
    column,
    create_engine,
    event,
    func,
    select,
)
from sqlalchemy.engine import Connection
from sqlalchemy.engine.interfaces import DBAPIConnection, ExceptionContext
from sqlalchemy.exc import ArgumentError, OperationalError
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.types import TypeDecorator, TypeEngine

from config import ConfigError

WRITE_LOCK_SECONDS = 15.0
SHORTEST_WAIT_SECONDS = 0.00002
LONGEST_WAIT_SECONDS = 0.02
BUSY_MILLISECONDS = 50
CONNECT_SECONDS = 5


def utcnow() -> datetime:
    return datetime.now(UTC)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime in UTC, also from SQLite, which keeps no time zone, and Postgres, which tells its own."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


class PlainJson(TypeDecorator[Any]):
    """JSON that comes back as it went in; None is NULL.

    SQLite makes a number of whatever looks like one in a column that it does not know as text, and its numbers are
    64 bits long: 10**20 + 7 came back as 1e+20.
    """

    impl = JSON
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(Text() if dialect.name == "sqlite" else JSON(none_as_null=True))

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        return json.dumps(value) if dialect.name == "sqlite" and value is not None else value

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return json.loads(value) if dialect.name == "sqlite" and value is not None else value


class Base(DeclarativeBase):
    """The base of every table."""


def integers(session: Session, parameter: str, *names: str) -> CTE:
    """Rows of integers, so named, that come as one parameter: the statement is compiled once, however many they are."""
    each = func.json_each if session.get_bind().dialect.name == "sqlite" else func.json_array_elements
    given = each(bindparam(parameter, type_=JSON)).table_valued(column("value", JSON)).c.value
    return at_once(select(*(given[number].as_integer().label(name) for number, name in enumerate(names))))


def at_once(rows: Select[*tuple[Any, ...]]) -> CTE:
    """These rows, found before they are used and not again for every use."""
    return rows.cte().prefix_with("MATERIALIZED")


class Database:
    """An engine and the sessions on it; opens no connection until the first session needs one.

    Raises ConfigError, without the password, for a URL that cannot be read.
    """

    def __init__(self, url: str) -> None:
        # Parameters are hidden from errors: what users write must reach neither logs nor the queue's dashboard.
        try:
            self.engine = create_engine(url, pool_pre_ping=not url.startswith("sqlite"), hide_parameters=True)
        except (ArgumentError, ValueError):
            raise ConfigError("DATABASE_URL: cannot be read; write @ in its password as %40, and % as %25") from None
        prepare = _prepare_sqlite if self.engine.dialect.name == "sqlite" else _prepare_postgres
        prepare(self.engine)
        self._reader = self.engine.execution_options(reads_only=True)
        self._kept: Connection | None = None
        self._line = threading.Lock() if self.engine.dialect.name == "sqlite" else None

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that only reads: it never waits for a writer."""
        with Session(self._reader, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session whose transaction commits when the block ends, and rolls back when it raises.

        A row that is read in order to be changed is read `with_for_update()`: on SQLite one writer follows the other
        anyway, on Postgres only those wait for each other that say so or write the same row.
        """
        with self._writer() as connection, Session(connection, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def change(self) -> Iterator[Connection]:
        """A connection whose transaction commits when the block ends: for statements that need no objects."""
        with self._writer() as connection, connection.begin():
            yield connection

    def close(self) -> None:
        """Close all connections, as must be done before a fork: SQLite's must not even be closed in another process."""
        if self._line:
            with _held(self._line):
                self._drop_kept()
        self.engine.dispose()

    @contextmanager
    def _writer(self) -> Iterator[Connection]:
        """A connection to write with: the process's one, where the database has one writer at a time anyway.

        It is kept, as getting one costs as much as a statement, but only as long as nothing goes wrong: a commit that
        failed may have left its transaction open.
        """
        if self._line is None:
            with self.engine.connect() as connection:
                yield connection
            return
        # Those that wait do so without a connection: they would leave none for the readers.
        with _held(self._line):
            self._kept = self._kept or self.engine.connect()
            try:
                yield self._kept
            except BaseException:
                self._drop_kept()
                raise

    def _drop_kept(self) -> None:
        connection, self._kept = self._kept, None
        if connection:
            connection.close()


@contextmanager
def _held(line: threading.Lock) -> Iterator[None]:
    if not line.acquire(timeout=WRITE_LOCK_SECONDS):
        locked = sqlite3.OperationalError("database is locked by other writers of this process")
        raise OperationalError("BEGIN IMMEDIATE", None, locked)
    try:
        yield
    finally:
        line.release()


def _prepare_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def set_pragmas(connection: DBAPIConnection, _record: Any) -> None:
        assert isinstance(connection, sqlite3.Connection)
        connection.isolation_level = None  # transactions begin where `begin` below says, not in the driver
        for pragma in (f"busy_timeout={BUSY_MILLISECONDS}", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            _patiently(lambda pragma=pragma: connection.execute(f"PRAGMA {pragma}"))

    # SQLite's default begins a transaction as a reader; two of them that then write lose an update or fail at once.
    # A writer therefore takes the lock at its first statement. The wait for it is a loop of short sleeps outside
    # SQLite, because in the web process a sleep lets other greenlets run and SQLite's own wait stops all of them: not
    # even a short one will do, because many waiting writers would add theirs up until nobody else has a turn.
    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        if connection.get_execution_options().get("reads_only"):
            connection.exec_driver_sql("BEGIN")
            return
        # The driver is asked without SQLAlchemy in between: each refusal would cost it more than a whole transaction.
        driver: Any = connection.connection.driver_connection
        driver.execute("PRAGMA busy_timeout=0")
        try:
            _patiently(lambda: driver.execute("BEGIN IMMEDIATE"))
        except sqlite3.OperationalError as error:
            raise OperationalError("BEGIN IMMEDIATE", None, error) from error
        finally:
            driver.execute(f"PRAGMA busy_timeout={BUSY_MILLISECONDS}")


def _prepare_postgres(engine: Engine) -> None:
    # Unless DATABASE_URL says otherwise: the driver would wait 130 seconds, longer than a lease lasts.
    @event.listens_for(engine, "do_connect")
    def limit_waiting(_dialect: Dialect, _record: Any, _arguments: Any, options: dict[str, Any]) -> None:
        options.setdefault("connect_timeout", CONNECT_SECONDS)

    # A statement that fails quotes values, or the whole row, in the lines after the first one: hidden parameters again.
    @event.listens_for(engine, "handle_error")
    def keep_first_line(context: ExceptionContext) -> None:
        if context.connection is not None and context.sqlalchemy_exception is not None:
            for error in (context.original_exception, context.sqlalchemy_exception):
                error.args = tuple(str(words).partition("\n")[0] for words in error.args)


def _patiently(statement: Any) -> None:
    deadline = time.monotonic() + WRITE_LOCK_SECONDS
    longest = SHORTEST_WAIT_SECONDS
    while True:
        try:
            statement()
            return
        except (OperationalError, sqlite3.OperationalError) as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
        time.sleep(random.uniform(longest / 2, longest))
        longest = min(1.5 * longest, LONGEST_WAIT_SECONDS)
