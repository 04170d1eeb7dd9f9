"""The database connection, with separate read and write transactions."""

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
    BigInteger,
    DateTime,
    Dialect,
    Engine,
    Select,
    Text,
    bindparam,
    cast,
    column,
    create_engine,
    event,
    func,
    select,
)
from sqlalchemy.engine import Connection
from sqlalchemy.engine.interfaces import DBAPIConnection, ExceptionContext
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    InterfaceError,
    InternalError,
    OperationalError,
    SQLAlchemyError,
    TimeoutError,
)
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.types import TypeDecorator, TypeEngine

from config import ConfigError

WRITE_LOCK_SECONDS = 15.0
SHORTEST_WAIT_SECONDS = 0.00002
LONGEST_WAIT_SECONDS = 0.02
BUSY_MILLISECONDS = 50
# A request during a silent partition fails within 20 s: one statement without an answer, then one vain connect.
ANSWER_SECONDS = 15
POOL_SECONDS = 10

# The errors of a database that is unavailable, for now. TimeoutError: all connections wait for its answers.
AWAY = (InterfaceError, InternalError, OperationalError, TimeoutError)


def unusable(error: SQLAlchemyError) -> str:
    """Return one line that says why the database cannot be used, and what to do."""
    cause = getattr(error, "orig", None) or error
    reason = (str(cause).splitlines() or [type(cause).__name__])[0]
    if "no such table" in reason or "does not exist" in reason:
        advice = "Create the database if there is none, then run the release step: alembic upgrade head"
    elif isinstance(cause, sqlite3.Error):
        advice = "Check that its file and folder can be written and its disk has free space."
    else:
        advice = "Check that its server is running and that host, port, user and password are right."
    return f"The database at DATABASE_URL cannot be used: {reason}. {advice}"


def utcnow() -> datetime:
    return datetime.now(UTC)


class UtcDateTime(TypeDecorator[datetime]):
    """A timezone-aware datetime in UTC. SQLite stores no time zone, and Postgres returns its session's time zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


class PlainJson(TypeDecorator[Any]):
    """JSON that survives a round trip unchanged; None is stored as NULL.

    On SQLite the column type is TEXT. With any other type SQLite converts text that looks like a number to a 64-bit
    number: 10**20 + 7 became 1e+20.
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
    """The declarative base class of every table."""


def integers(session: Session, parameter: str, *names: str) -> CTE:
    """Return a CTE of integer rows with the named columns, passed as one JSON parameter.

    A single parameter keeps the SQL text the same for any number of rows, so SQLAlchemy compiles the statement once.
    """
    each = func.json_each if session.get_bind().dialect.name == "sqlite" else func.json_array_elements
    given = each(bindparam(parameter, type_=JSON)).table_valued(column("value", JSON)).c.value
    columns = [cast(given[number].as_string(), BigInteger).label(name) for number, name in enumerate(names)]
    return at_once(select(*columns))


def at_once(rows: Select[*tuple[Any, ...]]) -> CTE:
    """Return the query as a materialised CTE, so that the database evaluates it once."""
    return rows.cte().prefix_with("MATERIALIZED")


class Database:
    """An engine and its sessions. The first session opens the first connection.

    On Postgres a statement that takes longer than `answer_seconds` fails, as if the server had closed the connection.
    Migrations, which may take long, set no limit. Raises ConfigError, without the password, when the URL is malformed.
    """

    def __init__(self, url: str, answer_seconds: float | None = ANSWER_SECONDS) -> None:
        # Hide parameters in errors: user input must not appear in logs or in the queue's dashboard.
        try:
            options = {} if url.startswith("sqlite") else {"pool_pre_ping": True, "pool_timeout": POOL_SECONDS}
            self.engine = create_engine(url, hide_parameters=True, **options)
        except (ArgumentError, ValueError):
            raise ConfigError("DATABASE_URL: not a valid URL; in the password, write @ as %40 and % as %25") from None
        if self.engine.dialect.name == "sqlite":
            _prepare_sqlite(self.engine)
        else:
            _prepare_postgres(self.engine, answer_seconds)
        self._reader = self.engine.execution_options(reads_only=True)
        self._kept: Connection | None = None
        self._line = threading.Lock() if self.engine.dialect.name == "sqlite" else None

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Open a read-only session. It never waits for a writer."""
        with Session(self._reader, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Open a session whose transaction commits when the block ends, and rolls back when the block raises.

        Read a row `with_for_update()` before changing it. SQLite serialises all writers anyway, but on Postgres two
        transactions wait for each other only if they lock or write the same row.
        """
        with self._writer() as connection, Session(connection, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def change(self) -> Iterator[Connection]:
        """Open a connection whose transaction commits when the block ends, for statements that need no ORM objects."""
        with self._writer() as connection, connection.begin():
            yield connection

    def close(self) -> None:
        """Close all connections. Call it before a fork: a SQLite connection must not even be closed in a child."""
        if self._line:
            with _held(self._line):
                self._drop_kept()
        self.engine.dispose()

    @contextmanager
    def _writer(self) -> Iterator[Connection]:
        """Yield a connection for writing; on SQLite, which has one writer at a time, the process's only one.

        The SQLite connection stays open between transactions, because opening one costs as much as a statement. It is
        closed after any error, because a failed commit may have left its transaction open.
        """
        if self._line is None:
            with self.engine.connect() as connection:
                yield connection
            return
        # Wait for the lock before taking a connection: waiting writers would otherwise exhaust the pool for readers.
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
        locked = sqlite3.OperationalError("database is locked by other writers in this process")
        raise OperationalError("BEGIN IMMEDIATE", None, locked)
    try:
        yield
    finally:
        line.release()


def _prepare_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def set_pragmas(connection: DBAPIConnection, _record: Any) -> None:
        assert isinstance(connection, sqlite3.Connection)
        connection.isolation_level = None  # `begin` below starts transactions, not the driver
        for pragma in (f"busy_timeout={BUSY_MILLISECONDS}", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            try:
                _patiently(lambda pragma=pragma: connection.execute(f"PRAGMA {pragma}"))
            except sqlite3.Error as error:  # SQLAlchemy does not translate errors from here
                raise DBAPIError.instance(f"PRAGMA {pragma}", None, error, sqlite3.Error) from error

    # By default a SQLite transaction starts as a reader. If two such transactions then write, one loses an update or
    # fails immediately. Therefore a writer takes the write lock with its first statement (BEGIN IMMEDIATE).
    #
    # The wait for the lock is a loop of short sleeps outside SQLite. In the web process a sleep lets other greenlets
    # run, whereas SQLite's own busy timeout blocks all of them. Even a short busy timeout is too long: the timeouts of
    # many waiting writers would add up and starve every other greenlet.
    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        if connection.get_execution_options().get("reads_only"):
            connection.exec_driver_sql("BEGIN")
            return
        # Call the driver directly: handling one "locked" error in SQLAlchemy costs more than a whole transaction.
        driver: Any = connection.connection.driver_connection
        driver.execute("PRAGMA busy_timeout=0")
        try:
            _patiently(lambda: driver.execute("BEGIN IMMEDIATE"))
        except sqlite3.OperationalError as error:
            raise OperationalError("BEGIN IMMEDIATE", None, error) from error
        finally:
            driver.execute(f"PRAGMA busy_timeout={BUSY_MILLISECONDS}")


def _prepare_postgres(engine: Engine, answer_seconds: float | None) -> None:
    from jobs.storage.postgres import connect  # the driver takes 6 MB, which an application on SQLite saves

    @event.listens_for(engine, "do_connect")
    def open_connection(_dialect: Dialect, _record: Any, arguments: Any, options: dict[str, Any]) -> Any:
        return connect(answer_seconds, *arguments, **options)

    # Postgres quotes values, or the whole row, after the first line of an error. Cut them off, like the parameters.
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
