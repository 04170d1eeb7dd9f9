"""Starting and stopping everything, as a user does on a terminal."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
from websockets.exceptions import ConnectionClosedError

from jobs.db import utcnow
from jobs.runs import Run, State
from tests import databases
from tests.conftest import database_of, mark_newer
from tests.people import make_owner, make_run, read
from tests.person import Person, hear
from tests.stack import ROOT, Stack, free_port
from tests.visitor import the
from tests.waiting import PATIENCE_SECONDS, until


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Stack]:
    """A stack that a test may stop, break and start again."""
    stack = Stack(tmp_path)
    yield stack.start()
    stack.stop()


def descendants(stack: Stack) -> list[psutil.Process]:
    return psutil.Process(stack.process.pid).children(recursive=True)


def names(processes: list[psutil.Process]) -> str:
    return " ".join(filter(None, map(command, processes)))


def command(process: psutil.Process) -> str:
    """How a process was started that runs; one that has ended, and perhaps is not reaped yet, has no name."""
    try:
        running = process.is_running() and process.status() != psutil.STATUS_ZOMBIE
        return " ".join(process.cmdline()) if running else ""
    except psutil.NoSuchProcess:
        return ""


def start_and_fail(**environment: str) -> str:
    """What a start that cannot be prints; it must end by itself."""
    own = {"PATH": os.environ["PATH"], "DATABASE_URL": databases.url_of(Path(environment["DATA_DIR"]))}
    done = subprocess.run(
        [sys.executable, "-m", "webapp"],
        cwd=ROOT,
        env={**own, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_signal_stops_all_and_leaves_no_process(own: Stack, number: signal.Signals) -> None:
    started = descendants(own)
    assert all(part in names(started) for part in ("redis-server", "gunicorn", "-m jobs"))
    assert own.stop(number) == 0
    assert names(started) == ""


def test_stopping_sends_open_pages_away_to_come_back(own: Stack) -> None:
    with Person(own.url, "ada@example.com").socket() as page:
        page.recv(timeout=PATIENCE_SECONDS)
        own.process.terminate()
        with pytest.raises(ConnectionClosedError) as closed:
            hear(page, lambda _frame: False)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1012


def test_even_a_killed_start_leaves_no_process(own: Stack) -> None:
    started = descendants(own)
    own.process.kill()
    own.process.wait()
    until(lambda: names(started) == "", "the end of every process")


def test_starting_again_finds_all_data(own: Stack) -> None:
    ada = Person(own.url, "ada@example.com")
    run_id = ada.submit("reverse_text", text="hello")
    until(lambda: ada.get(f"/runs/{run_id}").select_one(".result"), "the result")
    own.stop()
    own.start()
    assert the(ada.get(f"/runs/{run_id}"), ".result").text == "olleh"


def test_workers_web_server_and_redis_are_started_again_when_they_end(own: Stack) -> None:
    ada = Person(own.url, "ada@example.com")
    for process in descendants(own):
        with contextlib.suppress(psutil.NoSuchProcess):  # it has ended with the one before
            process.kill()

    def works() -> bool:
        try:
            run_id = ada.submit("reverse_text", text="hello")
        except OSError:
            return False
        return bool(until(lambda: ada.get(f"/runs/{run_id}").select_one(".result"), "the result"))

    until(works, "everything working again")


def test_a_run_submitted_while_redis_is_down_is_accepted_and_starts_by_itself(own: Stack) -> None:
    ada = Person(own.url, "ada@example.com")
    (redis,) = [process for process in descendants(own) if "redis-server" in process.name()]
    redis.suspend()
    run_id = ada.submit("reverse_text", text="hello")
    redis.kill()
    until(lambda: ada.get(f"/runs/{run_id}").select_one(".result"), "the result")


def test_a_run_whose_process_is_killed_fails_and_says_so(own: Stack) -> None:
    ada = Person(own.url, "ada@example.com")
    run_id = ada.submit("estimate_pi", samples="10000000000")
    until(lambda: ada.get(f"/runs/{run_id}").select_one("progress[value]"), "progress")
    for process in descendants(own):
        if is_horse(process):
            process.kill()
    until(lambda: ada.get(f"/runs/{run_id}").select_one("article[data-state=failed]"), "the failure")
    assert "ended abruptly (signal 9)" in ada.get(f"/runs/{run_id}").text


def is_horse(process: psutil.Process) -> bool:
    """Whether this is a worker's child, the pool's grandchild."""
    parents = [parent for parent in process.parents() if "-m jobs" in " ".join(parent.cmdline())]
    return len(parents) == 2


def test_stopping_gives_back_a_run_that_takes_longer(own: Stack) -> None:
    ada = Person(own.url, "ada@example.com")
    run_id = ada.submit("estimate_pi", samples="10000000000")
    until(lambda: ada.get(f"/runs/{run_id}").select_one("progress[value]"), "progress")
    own.stop()
    backend = own.backend()
    with backend.database.read() as session:
        run = session.get_one(Run, run_id)
    assert (run.state, run.attempt, run.lease_token) == (State.QUEUED, 1, None)
    backend.database.engine.dispose()


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
    assert "The database's schema, 9999, is newer than this code" in said


def test_the_procfile_releases_and_serves(tmp_path: Path) -> None:
    release, web = (line.partition(": ")[2] for line in (ROOT / "Procfile").read_text().splitlines())
    port = free_port()
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {"PATH": path, "DATA_DIR": str(tmp_path), "PORT": str(port), "SECRET_KEY": "x" * 40}
    environment["DATABASE_URL"] = databases.url_of(tmp_path)
    subprocess.run(["sh", "-c", release], cwd=ROOT, env=environment, check=True, capture_output=True)
    output = (tmp_path / "output.txt").open("w+")
    served = subprocess.Popen(["sh", "-c", f"exec {web}"], cwd=ROOT, env=environment, stdout=output, stderr=output)
    try:
        until(lambda: "is ready" in (tmp_path / "output.txt").read_text(), "the start")
        ada = Person(f"http://127.0.0.1:{port}", "ada@example.com")
        run_id = ada.submit("reverse_text", text="hello")
        until(lambda: ada.get(f"/runs/{run_id}").select_one(".result"), "the result")
    finally:
        served.terminate()
        assert served.wait(60) == 0


def test_a_run_whose_worker_vanished_is_taken_up_when_its_lease_has_run_out(tmp_path: Path) -> None:
    with Stack(tmp_path, LEASE_SECONDS="3") as stack:
        backend = stack.backend()
        held: dict[str, Any] = {
            "worker": "vanished",
            "lease_token": "0" * 32,
            "lease_expires_at": utcnow() + timedelta(seconds=3),
        }
        run = make_run(backend, make_owner(backend), state=State.RUNNING, **held)
        until(lambda: read(backend, run).state is State.SUCCEEDED, "the second attempt")
        assert (read(backend, run).attempt, read(backend, run).result) == (2, "olleh")
        backend.database.engine.dispose()
