"""A Postgres that falls silent without closing its connections is given up in time, and used again when it speaks."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError, TimeoutError

from config import Settings
from jobs.storage import AWAY
from jobs.storage.database import Database
from tests.faults.relay import Relay
from tests.support import databases

pytestmark = pytest.mark.only_on("postgres")

ANSWER_SECONDS = 0.5
CONNECT_SECONDS = 2  # the driver takes no less


@pytest.fixture
def relay() -> Iterator[Relay]:
    assert databases.server
    one = Relay(databases.server.socket)
    yield one
    one.refuse()


@pytest.fixture
def data_dir(tmp_path: Path, empty_database: Path) -> Iterator[Path]:
    databases.copy(empty_database, tmp_path)
    yield tmp_path
    databases.drop(tmp_path)


@pytest.fixture
def database(data_dir: Path, relay: Relay) -> Iterator[Database]:
    url = f"{databases.url_through(relay.port, data_dir)}?connect_timeout={CONNECT_SECONDS}"
    one = Database(Settings(database_url=url).database, ANSWER_SECONDS)
    yield one
    one.close()


def asked(database: Database, question: str = "SELECT 1") -> object:
    with database.read() as session:
        return session.scalar(text(question))


def test_silence_before_a_statement_ends_it_and_the_next_one_is_answered(database: Database, relay: Relay) -> None:
    assert asked(database) == 1
    relay.silent = True
    begun = time.monotonic()
    with pytest.raises(AWAY):
        asked(database)
    assert time.monotonic() - begun < ANSWER_SECONDS + CONNECT_SECONDS + 1
    relay.silent = False
    assert asked(database) == 1


def test_silence_within_a_transaction_ends_it_without_a_trace(database: Database, relay: Relay) -> None:
    with database.change() as connection:
        connection.exec_driver_sql("CREATE TABLE noted (number integer)")

    def note_two() -> None:
        with database.change() as connection:
            connection.exec_driver_sql("INSERT INTO noted VALUES (1)")
            relay.silent = True
            connection.exec_driver_sql("INSERT INTO noted VALUES (2)")

    with pytest.raises(OperationalError, match="has not answered"):
        note_two()
    relay.silent = False
    relay.refuse()  # what a server notices at last: its end of the transaction goes, too
    relay.open()
    assert asked(database, "SELECT count(*) FROM noted") == 0


def test_a_migration_may_take_its_time(data_dir: Path) -> None:
    url = Settings(database_url=databases.url_of(data_dir)).database
    hasty, patient = Database(url, ANSWER_SECONDS), Database(url, answer_seconds=None)
    with pytest.raises(OperationalError, match="has not answered"):
        asked(hasty, f"SELECT pg_sleep({2 * ANSWER_SECONDS})")
    assert asked(hasty) == 1
    asked(patient, f"SELECT pg_sleep({2 * ANSWER_SECONDS})")
    hasty.close()
    patient.close()


def test_who_waits_for_a_connection_in_vain_meets_a_database_that_is_away() -> None:
    assert issubclass(TimeoutError, AWAY)
