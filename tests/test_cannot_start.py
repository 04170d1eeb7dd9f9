"""Starts that must fail: each exits with the reason and what to do."""

import os
import resource
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.conftest import database_of, mark_newer
from tests.support import databases
from tests.support.stack import ROOT, Stack, free_port
from tests.support.tasks import FOLDER

SERVE = ("python", "-m", "webapp")
WORKERS = ("python", "-m", "jobs")
RELEASE = ("alembic", "upgrade", "head")
NOWHERE = "postgresql://user:secret@127.0.0.1:1/name"


def fail(program: Sequence[str], environment: dict[str, str], full_disk: bool = False) -> str:
    """Run a program of the environment, which must fail, and return the line that says why."""
    done = subprocess.run(
        [Path(sys.executable).parent / program[0], *program[1:]],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "SECRET_KEY": "x" * 40, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        preexec_fn=fill_disk if full_disk else None,
    )
    assert done.returncode in (1, 255)
    (said,) = (done.stdout + done.stderr).splitlines()
    return said


def fill_disk() -> None:
    """Limit the size of files that this process and its children write to zero, as on a full disk."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def start_and_fail(**environment: str) -> str:
    """Start the application, which must fail and exit, and return the line that says why."""
    own = {"DATABASE_URL": databases.url_of(Path(environment["DATA_DIR"])), "PORT": str(free_port())}
    said = fail(SERVE, {**own, **environment})
    assert said.startswith("Dumbwaiter cannot start: ")
    return said.removeprefix("Dumbwaiter cannot start: ")


def test_a_taken_port_is_named_with_what_to_do(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = start_and_fail(DATA_DIR=str(tmp_path), PORT=str(port))
    assert f"Port {port} on 127.0.0.1 cannot be used" in said
    assert f"PORT={port + 1} make run" in said


def test_a_second_start_on_the_same_data_is_refused(stack: Stack) -> None:
    said = start_and_fail(DATA_DIR=str(stack.data_dir))
    assert "running" in said
    assert "another DATA_DIR" in said


def test_a_redis_that_does_not_answer_is_named_without_its_password(tmp_path: Path) -> None:
    url = f"redis://user:secret@127.0.0.1:{free_port()}/0"
    said = start_and_fail(DATA_DIR=str(tmp_path), REDIS_URL=url)
    assert "REDIS_URL" in said
    assert "secret" not in said


@pytest.mark.parametrize("place", ["127.0.0.1:1/name", "secret:secret@host/name"])
def test_a_postgres_that_cannot_be_reached_is_named_without_its_password(tmp_path: Path, place: str) -> None:
    url = f"postgresql://user:secret@{place}"
    said = start_and_fail(DATA_DIR=str(tmp_path), DATABASE_URL=url)
    assert "DATABASE_URL" in said
    assert "secret" not in said


def test_a_data_dir_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    assert "DATA_DIR" in start_and_fail(DATA_DIR=str(tmp_path / "file" / "inside"))


def test_a_bad_setting_is_named(tmp_path: Path) -> None:
    assert "WORKERS" in start_and_fail(DATA_DIR=str(tmp_path), WORKERS="many")
    said = start_and_fail(DATA_DIR=str(tmp_path), APP_ENV="production")
    assert "PUBLIC_URL: must be set in production" in said


@pytest.mark.parametrize("environment", ["development", "production"])
def test_files_without_any_task_that_can_be_run_are_named(tmp_path: Path, environment: str) -> None:
    (tmp_path / "odd.py").write_text("from jobs import task\n\n\n@task\ndef odd(what: object) -> None: ...\n")
    own = {"APP_ENV": environment, "SECRET_KEY": "x" * 40, "PUBLIC_URL": "http://here", "TASKS": str(tmp_path)}
    said = start_and_fail(**own, DATA_DIR=str(tmp_path / "data"), PORT=str(free_port()))
    assert f"{tmp_path}/odd.py:4: task 'odd': parameter 'what' has a type without a form field" in said


def test_a_folder_of_tasks_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    folders = f"{FOLDER}:{tmp_path / 'none'}"
    said = start_and_fail(TASKS=folders, DATA_DIR=str(tmp_path / "data"), PORT=str(free_port()))
    assert f"TASKS: {tmp_path}/none cannot be read" in said


@pytest.mark.parametrize(
    ("program", "environment", "reason", "advice"),
    [
        (WORKERS, {"WORKERS": "0"}, "WORKERS: 0 is for a machine that only serves pages.", "Set it to at least 1"),
        (WORKERS, {"REDIS_URL": "redis://:secret@host:port"}, "REDIS_URL: not a valid URL", "write @ as %40"),
        (WORKERS, {"DATABASE_URL": NOWHERE}, "Connection refused.", "Check that its server is running"),
        (WORKERS, {"DATABASE_URL": "sqlite:////dev/null"}, "no such table", "alembic upgrade head"),
        (RELEASE, {"DATABASE_URL": NOWHERE}, "Connection refused.", "Check that its server is running"),
        (RELEASE, {"DATABASE_URL": "sqlite:////no/folder/file"}, "unable to open", "Check that its file and folder"),
        (RELEASE, {"DATABASE_URL": "mysql://secret"}, "DATABASE_URL: must start with", "sqlite:/// or postgresql://"),
        (
            RELEASE,
            {"APP_ENV": "production", "SECRET_KEY": "secret"},
            "SECRET_KEY: must be set",
            "secrets.token_urlsafe",
        ),
        (("flask", "admin", "grant", "a@b.org"), {"DATABASE_URL": NOWHERE}, "refused.", "Check that its server"),
    ],
)
def test_every_program_says_in_one_line_why_it_cannot_start(
    tmp_path: Path, program: tuple[str, ...], environment: dict[str, str], reason: str, advice: str
) -> None:
    said = fail(program, {"DATA_DIR": str(tmp_path), **environment})
    assert reason in said
    assert advice in said
    assert "secret" not in said.replace("secrets", "")


@pytest.mark.parametrize(
    ("spoiled", "reason"),
    [
        ("redis/redis.log/", "redis.log cannot be used (Is a directory). Move it away, or set another DATA_DIR."),
        ("redis", "redis cannot be used (File exists). Move it away, or set another DATA_DIR."),
        ("redis/appendonlydir/appendonly.aof.manifest", "Check the disk's free space and"),
        ("lock/", "is not writable: Is a directory. Change its owner, or set another DATA_DIR."),
    ],
)
def test_something_odd_in_data_dir_is_named(tmp_path: Path, spoiled: str, reason: str) -> None:
    path = tmp_path / spoiled
    path.parent.mkdir(parents=True, exist_ok=True)
    if spoiled.endswith("/"):
        path.mkdir()
    else:
        path.write_text("odd")
    assert reason in start_and_fail(DATA_DIR=str(tmp_path))


def test_a_key_that_cannot_be_kept_is_named_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "secret_key").write_text("")
    said = start_and_fail(DATA_DIR=str(tmp_path), SECRET_KEY="", REDIS_URL=f"unix://{tmp_path}/nobody.sock")
    assert said.endswith("secret_key holds no key. Delete it to have a new one made, or set SECRET_KEY.")


@pytest.mark.only_on("sqlite")
def test_a_full_disk_is_named(tmp_path: Path) -> None:
    here = {"DATA_DIR": str(tmp_path)}
    assert "Check the disk's free space" in fail(SERVE, here, full_disk=True)
    said = fail(SERVE, {**here, "SECRET_KEY": "", "REDIS_URL": "unix:///no"}, full_disk=True)
    assert "secret_key. Free it up, or set SECRET_KEY." in said
    assert "its disk has free space" in fail(RELEASE, here, full_disk=True)


def test_production_does_not_migrate_at_start(tmp_path: Path) -> None:
    said = start_and_fail(APP_ENV="production", PUBLIC_URL="http://here", DATA_DIR=str(tmp_path))
    assert "alembic upgrade head" in said


@pytest.mark.parametrize("environment", ["development", "production"])
def test_a_schema_that_is_newer_than_the_code_is_left_alone_and_named(
    tmp_path: Path, empty_database: Path, environment: str
) -> None:
    databases.copy(empty_database, tmp_path)
    database = database_of(tmp_path)
    mark_newer(database)
    database.close()
    said = start_and_fail(APP_ENV=environment, PUBLIC_URL="http://here", DATA_DIR=str(tmp_path))
    assert "The database's schema (9999) is newer than this code" in said


def test_a_user_for_tasks_that_does_not_exist_is_named(tmp_path: Path) -> None:
    said = fail(WORKERS, {"DATA_DIR": str(tmp_path), "TASK_USER": "no-such-user"})
    assert said.startswith("TASK_USER: there is no user 'no-such-user'")
