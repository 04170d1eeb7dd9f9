"""The database: writers take turns, and readers wait for nobody."""

import multiprocessing
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from jobs import Backend, Database, Run
from tests.people import make_owner, make_run, read

PROCESSES, EACH = 4, 50


def count_up(path: Path) -> None:
    database = Database(f"sqlite:///{path}")
    for _ in range(EACH):
        with database.write() as session:
            run = session.scalars(select(Run)).one()
            run.attempt += 1


def test_processes_that_read_and_then_write_lose_no_update(backend: Backend) -> None:
    run = make_run(backend, make_owner(backend), attempt=0)
    path = backend.settings.data_dir / "dumbwaiter.db"
    spawned = multiprocessing.get_context("spawn")
    workers = [spawned.Process(target=count_up, args=(path,)) for _ in range(PROCESSES)]
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
    assert read(backend, run).created_at.utcoffset() is not None


def test_an_error_says_nothing_of_what_users_wrote(backend: Backend) -> None:
    owner_id = make_owner(backend)
    make_run(backend, owner_id, id=1)
    with pytest.raises(IntegrityError) as error:
        make_run(backend, owner_id, id=1, parameters={"text": "a secret"})
    assert "a secret" not in str(error.value)
