"""What the fault tests share: a kitchen each, of which no process is left afterwards."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.audit import begin_audit
from tests.faults.kitchen import LEASE_SECONDS, LONG_LEASE_SECONDS, Kitchen
from tests.faults.restaurant import Restaurant


@pytest.fixture
def lease_seconds() -> int:
    return LEASE_SECONDS


@pytest.fixture
def kitchen(tmp_path: Path, empty_database: Path, lease_seconds: int) -> Iterator[Kitchen]:
    """A database and a Redis; the test opens the pools it needs."""
    with opened(tmp_path, empty_database, lease_seconds) as one:
        yield one


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Iterator[Kitchen]:
    """A kitchen that tests share, with a pool of one worker, for what must harm neither."""
    with opened(tmp_path_factory.mktemp("running"), empty_database, LONG_LEASE_SECONDS) as one:
        one.open_pool(1)
        yield one


@contextmanager
def opened(folder: Path, empty_database: Path, lease_seconds: int) -> Iterator[Kitchen]:
    one = Kitchen(folder, empty_database, lease_seconds=lease_seconds)
    try:
        one.redis.start()
        yield one
    finally:
        one.close()


@pytest.fixture
def restaurant(tmp_path: Path) -> Iterator[Restaurant]:
    one = Restaurant(tmp_path)
    try:
        one.stack.start()
        begin_audit(one.backend.database)
        yield one
    finally:
        one.close()
