"""The database: writers take turns, and readers never wait."""

import multiprocessing
import socket
import time
import traceback
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import UTC
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError, OperationalError

from jobs.runs.backend import Backend
from jobs.runs.run import Run
from jobs.storage.database import Database
from jobs.storage.postgres import OPTIONS
from tests.support.people import make_owner, make_run, read

PROCESSES, EACH = 4, 20
SECRET = "only its owner may read this"


def count_up(url: str, together: Barrier) -> None:
    database = Database(url)
    together.wait()
    for _ in range(EACH):
        with database.write() as session:
            run = session.scalars(select(Run).with_for_update()).one()
            run.attempt += 1


def test_processes_that_read_and_then_write_lose_no_update(backend: Backend) -> None:
    run = make_run(backend, make_owner(backend), attempt=0)
    spawned = multiprocessing.get_context("spawn")
    arguments = (backend.settings.database, spawned.Barrier(PROCESSES))
    workers = [spawned.Process(target=count_up, args=arguments) for _ in range(PROCESSES)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert read(backend, run).attempt == PROCESSES * EACH


def test_a_reader_does_not_wait_for_a_writer(backend: Backend) -> None:
    run = make_run(backend, make_owner(backend))
    with backend.database.write() as session:
        session.get_one(Run, run.id).attempt = 9
        session.flush()
        assert read(backend, run).attempt == 1
    assert read(backend, run).attempt == 9


def test_times_come_back_as_they_went_in(backend: Backend) -> None:
    run = make_run(backend, make_owner(backend))
    assert read(backend, run).created_at == run.created_at
    assert read(backend, run).created_at.tzinfo is UTC


@pytest.mark.parametrize("broken", [{"id": 1}, {"task": None}])
def test_an_error_says_nothing_of_what_users_wrote(backend: Backend, broken: dict[str, Any]) -> None:
    owner_id = make_owner(backend)
    make_run(backend, owner_id, id=1)
    with pytest.raises(IntegrityError) as error:
        make_run(backend, owner_id, parameters={"text": SECRET}, **broken)
    assert SECRET not in "".join(traceback.format_exception(error.value))


def test_a_database_that_does_not_answer_is_given_up_soon() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        database = Database(f"postgresql+psycopg://user@127.0.0.1:{silent.getsockname()[1]}/name")
        begun = time.monotonic()
        with pytest.raises(OperationalError), database.read() as session:
            session.connection()
    assert time.monotonic() - begun < 2 * OPTIONS["connect_timeout"]


VALUES: list[object] = [
    *(10**20 + 7, 2**63, 1.0, 5e-324, "12", "1e3", 0, False, None, [1.0], {"a": 10**30}, [], {}, "", " "),
    *(
        "a\0b",
        "\ud83d",
        "\N{GRINNING FACE}",
        "\u2028\x7f\x85\ufffe",
        "\\u0000",
        {"a\0b": {"": [None, [[]]]}},
        "x" * 2_000_000,
    ),
]


@pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
def test_a_result_comes_back_as_it_went_in(backend: Backend, value: object) -> None:
    run = make_run(backend, make_owner(backend), result=value)
    found = read(backend, run).result
    assert (found, type(found)) == (value, type(value))


def test_a_commit_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/of-its-own")
    with database.change() as connection:
        connection.exec_driver_sql("CREATE TABLE parent (id INTEGER PRIMARY KEY)")
        connection.exec_driver_sql("CREATE TABLE child (id REFERENCES parent DEFERRABLE INITIALLY DEFERRED)")
    with pytest.raises(IntegrityError), database.change() as connection:
        connection.exec_driver_sql("INSERT INTO child VALUES (2)")
    with database.change() as connection:
        connection.exec_driver_sql("INSERT INTO parent VALUES (1)")
        connection.exec_driver_sql("INSERT INTO child VALUES (1)")
    with database.read() as session:
        assert session.scalars(text("SELECT id FROM child")).all() == [1]
    database.close()


def test_closing_waits_for_whoever_writes(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/of-its-own")
    with ThreadPoolExecutor(1) as other:
        with database.change() as connection:
            connection.exec_driver_sql("CREATE TABLE kept (id INTEGER PRIMARY KEY)")
            closing = other.submit(database.close)
            assert not wait([closing], 0.2).done
        closing.result()
    with database.read() as session:
        assert session.scalars(text("SELECT id FROM kept")).all() == []
