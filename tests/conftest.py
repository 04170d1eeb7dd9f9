"""Fixtures for all tests: a real Redis, a migrated database per test, the running application, and its users."""

import gc
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import text

from config import Settings
from jobs.runs.backend import Backend, open_backend
from jobs.storage.database import Database
from jobs.storage.redis import connect_redis
from jobs.worker.process import die_with_parent
from tests.support import databases
from tests.support.objects import KEY, ObjectServer
from tests.support.person import Person
from tests.support.postgres import NoPostgres, throw_away
from tests.support.stack import Stack
from tests.support.tasks import FOLDER
from tests.support.waiting import until
from webapp.server.embedded_redis import start_redis

ROOT = Path(__file__).parent.parent

pytest_plugins = ["tests.support.chromium", "tests.support.distribution", "tests.support.run_task"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--database", choices=("sqlite", "postgres"), default="sqlite", help="what all tests run on")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "only_on(database): about something that this database alone has")
    config.addinivalue_line("markers", "both_stores: about files, kept in a folder and in a bucket")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if metafunc.definition.get_closest_marker("both_stores"):
        metafunc.parametrize("store_settings", ["folder", "bucket"], indirect=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is about a database that these tests do not run on, and keep the browser's tests together."""
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()) and not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group("browser"))
    here = config.getoption("database")
    elsewhere = [item for item in items if (mark := item.get_closest_marker("only_on")) and mark.args != (here,)]
    if here == "postgres":
        elsewhere += [item for item in items if not reaches_database(item)]
    config.hook.pytest_deselected(items=elsewhere)
    left_out = set(elsewhere)
    items[:] = [item for item in items if item not in left_out]


# What makes a database: fixtures, by whatever way a test comes to them, and what its module imports to make its own.
MAKING_FIXTURES = {"empty_database", "stack", "application"}
MAKING_NAMES = {"Stack", "databases", "database_of", "running"}


def reaches_database(item: pytest.Item) -> bool:
    """Return whether a test can touch a database; the others run on SQLite only, as no database affects them."""
    assert isinstance(item, pytest.Function)
    return bool(MAKING_FIXTURES.intersection(item.fixturenames) or MAKING_NAMES.intersection(vars(item.module)))


# What no database affects, or what a test of the query alone shows on both: pages in a browser and behind proxies,
# forms, values and results, sockets, starting and stopping, a Redis that is away or damaged, the processes of runs,
# development, programs. Left on Postgres are queries, changes of state and their races, a database that is away, and
# the release step.
SAME_ON_ALL = (
    *("browser", "proxies", "isolation", "signatures", "values", "webapp/forms", "webapp/rendering"),
    *("webapp/api/test_openapi.py", "webapp/security", "webapp/test_security.py", "jobs/worker/test_workspace.py"),
    *("faults/test_damaged_redis.py", "faults/test_live.py", "faults/test_redis.py", "faults/test_sockets.py"),
    *(
        "faults/test_places.py",
        "faults/test_submitting.py",
        "test_cannot_start.py",
        "test_client.py",
        "test_developing.py",
        "test_own_tasks.py",
    ),
    "test_live_rights.py",
    *("test_protocol.py", "test_run_task.py", "test_secrecy.py", "test_start_and_stop.py", "test_programs.py"),
    *(
        "webapp/test_access.py",
        "webapp/test_access_by_role.py",
        "webapp/test_hosts.py",
        "webapp/test_url_prefix.py",
        "webapp/test_connections.py",
    ),
    *("webapp/test_rq_dashboard.py", "webapp/tasks/test_programs.py", "webapp/api/test_docs.py"),
    *("webapp/api/test_parameters.py", "webapp/api/test_mcp.py"),
)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out whole files: importing them takes as long as some of them run."""
    left_out = config.getoption("database") == "postgres" and is_the_same_on_all(collection_path)
    return True if left_out else None


def is_the_same_on_all(path: Path) -> bool:
    return any(path.is_relative_to(ROOT / "tests" / place) for place in SAME_ON_ALL)


def pytest_collection_finish() -> None:
    """Leave all that is loaded by now out of garbage collections, in this process and in the hundreds it forks."""
    gc.collect()
    gc.freeze()


def pytest_runtest_setup(item: pytest.Item) -> None:
    databases.expected = reaches_database(item)


@pytest.fixture(scope="session", autouse=True)
def database_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The Postgres that was asked for, while there are tests."""
    databases.folders = tmp_path_factory
    if request.config.getoption("database") == "sqlite":
        yield
        return
    try:
        with throw_away() as databases.server:
            yield
    except NoPostgres as error:
        pytest.exit(str(error), returncode=pytest.ExitCode.USAGE_ERROR)


def settings_for(data_dir: Path, **values: object) -> Settings:
    """Settings that owe nothing to the environment the tests run in, with the tests' tasks."""
    return Settings.model_validate({"data_dir": data_dir, "tasks": str(FOLDER), **values})


def database_of(data_dir: Path) -> Database:
    return Database(settings_for(data_dir, database_url=databases.url_of(data_dir)).database)


def mark_newer(database: Database) -> None:
    """Mark the schema as migrated by a newer version of the code."""
    with database.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))


@contextmanager
def redis_running(settings: Settings) -> Iterator[Redis]:
    """A Redis of these settings' own, which ends with this process too."""
    parent = os.getpid()
    server = start_redis(settings.redis_folder, settings.redis_socket, lambda: die_with_parent(parent, signal.SIGKILL))
    redis = connect_redis(settings)
    try:
        until(lambda: _answers(redis), "Redis starting")
        yield redis
    finally:
        redis.close()
        server.terminate()
        server.wait()


def _answers(redis: Redis) -> bool:
    with suppress(RedisError):
        return bool(redis.ping())
    return False


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    settings = settings_for(tmp_path_factory.mktemp("redis"))
    with redis_running(settings):
        yield settings.redis


@pytest.fixture(scope="session")
def keyless_object_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectServer]:
    server = ObjectServer(tmp_path_factory.mktemp("objects")).start()
    yield server
    server.stop()


@pytest.fixture
def object_server(keyless_object_server: ObjectServer, monkeypatch: pytest.MonkeyPatch) -> ObjectServer:
    """A server that speaks S3, and its key in the environment as it is in production."""
    for name, value in KEY.items():
        monkeypatch.setenv(name, value)
    return keyless_object_server


@pytest.fixture
def store_settings(request: pytest.FixtureRequest) -> dict[str, str]:
    """Settings for where files are kept: a folder or, for tests that are marked so, a bucket too."""
    in_bucket = getattr(request, "param", "folder") == "bucket"
    server: ObjectServer | None = request.getfixturevalue("object_server") if in_bucket else None
    return server.settings() if server else {}


@pytest.fixture(scope="session")
def empty_database() -> Path:
    """A folder whose database is migrated, to be copied for every test."""
    return databases.migrated()


@contextmanager
def opened(data_dir: Path, redis_url: str, empty_database: Path, **values: str) -> Iterator[Backend]:
    """A backend with an empty database in `data_dir` and an empty Redis."""
    databases.copy(empty_database, data_dir)
    url = databases.url_of(data_dir)
    backend = open_backend(settings_for(data_dir, redis_url=redis_url, database_url=url, **values))
    backend.redis.flushdb()
    yield backend
    backend.database.close()
    databases.drop(data_dir)


@pytest.fixture
def backend(tmp_path: Path, redis_url: str, empty_database: Path, store_settings: dict[str, str]) -> Iterator[Backend]:
    with opened(tmp_path, redis_url, empty_database, **store_settings) as one:
        yield one


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Everything running as `make run` runs it: Redis, workers, web server."""
    with Stack(tmp_path_factory.mktemp("stack")) as running:
        yield running


@pytest.fixture
def ada(stack: Stack) -> Person:
    """Somebody who has just registered there."""
    return Person(stack.url, f"ada{time.time_ns()}@example.com")


@pytest.fixture
def ben(stack: Stack) -> Person:
    return Person(stack.url, f"ben{time.time_ns()}@example.com")
