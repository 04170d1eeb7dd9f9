"""The database that belongs to a DATA_DIR: a SQLite file inside it or, with `--database=postgres`, one on a server."""

import contextlib
import hashlib
import sqlite3
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from config import Settings
from jobs.storage.database import Database
from tests.support.postgres import SUPERUSER, Postgres
from webapp.server import migrations

FILE = "dumbwaiter.db"

server: Postgres | None = None
"""The server that the tests were asked to run on; without one they run on SQLite."""

folders: pytest.TempPathFactory | None = None
"""Where a migrated database is kept to be copied, while there are tests."""

expected = True
"""True if the current test may create a database: false for one that would be left out where that is Postgres."""

UNEXPECTED = "tests/conftest.py's reaches_database does not know in which way this test makes a database"


def url_of(data_dir: Path) -> str:
    """Its DATABASE_URL: empty, which means the SQLite file, or one on the server, made when it is asked for first."""
    assert expected, UNEXPECTED
    if server is None:
        return ""
    if not server.has(_name(data_dir)):
        server.create(_name(data_dir))
    return server.url(_name(data_dir))


def url_through(port: int, data_dir: Path) -> str:
    """Its DATABASE_URL through a relay to the server's socket."""
    return f"postgresql://{SUPERUSER}@127.0.0.1:{port}/{_name(data_dir)}"


def copy(source: Path, target: Path) -> None:
    """Give a DATA_DIR a copy of another one's database, to which nothing is connected."""
    assert expected, UNEXPECTED
    if server is None:
        (target / FILE).write_bytes((source / FILE).read_bytes())
    else:
        server.create(_name(target), template=_name(source))


@cache
def migrated() -> Path:
    """Return a DATA_DIR whose database is migrated and empty, to be copied: migrating takes longer than most tests."""
    assert folders is not None
    data_dir = folders.mktemp("empty")
    with contextlib.closing(Database(Settings(data_dir=data_dir, database_url=url_of(data_dir)).database)) as database:
        migrations.upgrade(database)
    return data_dir


def fill(data_dir: Path) -> None:
    """Give a DATA_DIR without a database a migrated one, which a start would make for itself."""
    there = (data_dir / FILE).exists() if server is None else server.has(_name(data_dir))
    if folders is not None and not there:
        copy(migrated(), data_dir)


def drop(data_dir: Path) -> None:
    """Free the place that a database takes; a file goes with its folder."""
    if server is not None:
        server.drop(_name(data_dir))


def take_away(data_dir: Path) -> None:
    """Simulate a lost database server: queries for runs raise OperationalError until `bring_back`."""
    if server is None:
        _rename_table(data_dir, "runs", "runs_away")
    else:
        server.refuse(_name(data_dir))


def bring_back(data_dir: Path) -> None:
    if server is None:
        _rename_table(data_dir, "runs_away", "runs")
    else:
        server.admit(_name(data_dir))


@contextlib.contextmanager
def unreachable(data_dir: Path) -> Iterator[None]:
    """Make every new connection fail. Existing ones to a file must have been closed; the server ends its own."""
    if server is not None:
        server.refuse(_name(data_dir))
        yield
        server.admit(_name(data_dir))
        return
    file, away = data_dir / FILE, data_dir / "away.db"
    file.rename(away)
    file.mkdir()
    yield
    file.rmdir()
    away.rename(file)


def _rename_table(data_dir: Path, old: str, new: str) -> None:
    with contextlib.closing(sqlite3.connect(data_dir / FILE, timeout=60)) as connection:
        connection.execute(f"ALTER TABLE {old} RENAME TO {new}")


def _name(data_dir: Path) -> str:
    return f"data_{hashlib.sha256(str(data_dir).encode()).hexdigest()[:12]}"
