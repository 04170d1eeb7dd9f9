"""Fixtures of the fault tests: a harness for each, which leaves no process behind."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.application import Application
from tests.faults.audit import begin_audit
from tests.faults.harness import LEASE_SECONDS, LONG_LEASE_SECONDS, Harness


@pytest.fixture
def lease_seconds() -> int:
    return LEASE_SECONDS


@pytest.fixture
def harness(tmp_path: Path, empty_database: Path, lease_seconds: int) -> Iterator[Harness]:
    """A database and a Redis; the test opens the pools it needs."""
    with opened(tmp_path, empty_database, lease_seconds) as one:
        yield one


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Iterator[Harness]:
    """A harness that tests share, with a pool of one worker, for what must harm neither."""
    with opened(tmp_path_factory.mktemp("running"), empty_database, LONG_LEASE_SECONDS) as one:
        one.open_pool(1)
        yield one


@contextmanager
def opened(folder: Path, empty_database: Path, lease_seconds: int) -> Iterator[Harness]:
    one = Harness(folder, empty_database, lease_seconds=lease_seconds)
    try:
        one.redis.start()
        yield one
    finally:
        one.close()


@pytest.fixture(scope="session")
def shared_application(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    one = Application(tmp_path_factory.mktemp("application"))
    try:
        one.stack.start()
        begin_audit(one.backend.database)
        yield one
    finally:
        one.close()


@pytest.fixture
def application(shared_application: Application) -> Iterator[Application]:
    """The application that tests share, without the runs of other tests, whose Redis each of them gives back."""
    shared_application.forget_runs()
    yield shared_application
    shared_application.relay.silent = False
    shared_application.redis.resume()
