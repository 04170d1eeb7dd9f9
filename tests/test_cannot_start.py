"""Starts that must fail: each exits with the reason and what to do."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import database_of, mark_newer
from tests.support import databases
from tests.support.stack import ROOT, Stack, free_port
from tests.support.tasks import FOLDER


def start_and_fail(program: str = "webapp", /, **environment: str) -> str:
    """Start the application or its workers, which must fail and exit, and return their output."""
    own = {"PATH": os.environ["PATH"], "DATABASE_URL": databases.url_of(Path(environment["DATA_DIR"]))}
    done = subprocess.run(
        [sys.executable, "-m", program],
        cwd=ROOT,
        env={**own, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return done.stderr


def test_a_taken_port_is_named_with_what_to_do(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = start_and_fail(DATA_DIR=str(tmp_path), PORT=str(port))
    assert f"Port {port} on 127.0.0.1 cannot be used" in said
    assert f"PORT={port + 1} make run" in said


def test_a_second_start_on_the_same_data_is_refused(stack: Stack) -> None:
    said = start_and_fail(DATA_DIR=str(stack.data_dir), PORT=str(free_port()))
    assert "running" in said
    assert "another DATA_DIR" in said


def test_a_redis_that_does_not_answer_is_named_without_its_password(tmp_path: Path) -> None:
    url = f"redis://user:secret@127.0.0.1:{free_port()}/0"
    said = start_and_fail(DATA_DIR=str(tmp_path), PORT=str(free_port()), REDIS_URL=url)
    assert "REDIS_URL" in said
    assert "secret" not in said


@pytest.mark.parametrize("place", ["127.0.0.1:1/name", "secret:secret@host/name"])
def test_a_postgres_that_cannot_be_reached_is_named_without_its_password(tmp_path: Path, place: str) -> None:
    url = f"postgresql://user:secret@{place}"
    said = start_and_fail(DATA_DIR=str(tmp_path), PORT=str(free_port()), DATABASE_URL=url)
    assert "DATABASE_URL" in said
    assert "secret" not in said


def test_a_data_dir_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    assert "DATA_DIR" in start_and_fail(DATA_DIR=str(tmp_path / "file" / "inside"), PORT=str(free_port()))


def test_a_bad_setting_is_named(tmp_path: Path) -> None:
    assert "WORKERS" in start_and_fail(DATA_DIR=str(tmp_path), WORKERS="many")


@pytest.mark.parametrize("environment", ["development", "production"])
def test_files_without_any_task_that_can_be_run_are_named(tmp_path: Path, environment: str) -> None:
    (tmp_path / "odd.py").write_text("from jobs import task\n\n\n@task\ndef odd(what: object) -> None: ...\n")
    own = {"APP_ENV": environment, "SECRET_KEY": "x" * 40, "TASKS": str(tmp_path)}
    said = start_and_fail(**own, DATA_DIR=str(tmp_path / "data"), PORT=str(free_port()))
    assert f"{tmp_path}/odd.py:4: task 'odd': parameter 'what' has a type without a form field" in said


def test_a_folder_of_tasks_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    folders = f"{FOLDER}:{tmp_path / 'none'}"
    said = start_and_fail(TASKS=folders, DATA_DIR=str(tmp_path / "data"), PORT=str(free_port()))
    assert f"TASKS: {tmp_path}/none cannot be read" in said


def test_workers_without_a_number_of_them_are_refused(tmp_path: Path) -> None:
    said = start_and_fail("jobs", DATA_DIR=str(tmp_path), WORKERS="0")
    assert said.startswith("WORKERS: 0 is for a machine that only serves pages.")


def test_production_does_not_migrate_by_itself(tmp_path: Path) -> None:
    said = start_and_fail(APP_ENV="production", SECRET_KEY="x" * 40, DATA_DIR=str(tmp_path), PORT=str(free_port()))
    assert "alembic upgrade head" in said


@pytest.mark.parametrize("environment", ["development", "production"])
def test_a_schema_that_is_newer_than_the_code_is_left_alone_and_named(
    tmp_path: Path, empty_database: Path, environment: str
) -> None:
    databases.copy(empty_database, tmp_path)
    database = database_of(tmp_path)
    mark_newer(database)
    database.close()
    said = start_and_fail(APP_ENV=environment, SECRET_KEY="x" * 40, DATA_DIR=str(tmp_path), PORT=str(free_port()))
    assert "The database's schema (9999) is newer than this code" in said
