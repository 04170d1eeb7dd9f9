"""What tests share: a real Redis, a migrated database for each test, the application, and the whole of it running."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from flask import Flask

from config import Settings
from jobs import Backend, Database, connect_redis, open_backend, start_redis
from tests.stack import Stack
from tests.visitor import Visitor
from tests.waiting import until
from webapp import create_app

ROOT = Path(__file__).parent.parent


def settings_for(data_dir: Path, **values: object) -> Settings:
    """Settings that owe nothing to the environment the tests run in."""
    return Settings.model_validate({"data_dir": data_dir, **values})


def migrate(database: Database) -> None:
    command.upgrade(Config(ROOT / "alembic.ini", attributes={"database": database}), "head")


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    settings = settings_for(tmp_path_factory.mktemp("redis"))
    server = start_redis(settings)
    redis = connect_redis(settings)
    until(lambda: settings.redis_socket.exists() and redis.ping(), "Redis starting")
    yield settings.redis
    server.terminate()
    server.wait()


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file, copied for every test, because migrating takes longer than most tests."""
    path = tmp_path_factory.mktemp("empty") / "dumbwaiter.db"
    database = Database(f"sqlite:///{path}")
    migrate(database)
    database.engine.dispose()
    return path


@contextmanager
def opened(data_dir: Path, redis_url: str, empty_database: Path) -> Iterator[Backend]:
    """A backend with an empty database in `data_dir` and an empty Redis."""
    (data_dir / "dumbwaiter.db").write_bytes(empty_database.read_bytes())
    backend = open_backend(settings_for(data_dir, redis_url=redis_url))
    backend.redis.flushdb()
    yield backend
    backend.database.engine.dispose()


@pytest.fixture
def backend(tmp_path: Path, redis_url: str, empty_database: Path) -> Iterator[Backend]:
    with opened(tmp_path, redis_url, empty_database) as one:
        yield one


@pytest.fixture
def app(backend: Backend) -> Flask:
    return create_app(backend)


@pytest.fixture
def visitor(app: Flask) -> Visitor:
    """Somebody who has not signed in."""
    return Visitor(app)


@pytest.fixture
def ada(app: Flask) -> Visitor:
    return Visitor(app).registered("ada@example.com")


@pytest.fixture
def ben(app: Flask) -> Visitor:
    return Visitor(app).registered("ben@example.com")


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Everything running as `make run` runs it: Redis, workers, web server."""
    with Stack(tmp_path_factory.mktemp("stack")) as running:
        yield running
