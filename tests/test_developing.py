"""A developer's way in, in a copy of the project: a new task is one file, and what runs takes it up."""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.support import databases
from tests.support.person import Person
from tests.support.stack import Stack, copied_project
from tests.support.tasks import FOLDER
from tests.support.waiting import until

# No form can ask for an object.
ODD = "from jobs import task\n\n@task\ndef odd(what: object) -> None:\n    pass\n"


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A copy of the project that comes with the tests' tasks instead of its own."""
    house = copied_project(tmp_path / "house")
    shutil.rmtree(house / "jobs/tasks")
    shutil.copytree(FOLDER, house / "jobs/tasks")
    return house


@pytest.fixture
def running(house: Path, tmp_path: Path) -> Iterator[Stack]:
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    stack = Stack(data_dir, TASKS="")
    stack.root = house
    with stack:
        yield stack


def run(house: Path, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    own = {"PATH": os.environ["PATH"], **environment}
    return subprocess.run(
        [sys.executable, "-m", *arguments], cwd=house, env=own, capture_output=True, text=True, timeout=120
    )


def flask(house: Path, data_dir: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    own = {"DATA_DIR": str(data_dir), "DATABASE_URL": databases.url_of(data_dir)}
    return run(house, "flask", *arguments, **own)


def test_the_doctor_finds_nothing_and_a_new_task_with_a_passing_test_is_served_without_a_restart(
    house: Path, running: Stack
) -> None:
    ada = Person(running.url, "ada@example.com")
    well = flask(house, running.data_dir, "doctor")
    assert (well.returncode, "error" in well.stdout) == (0, False), well.stdout + well.stderr
    written = flask(house, running.data_dir, "task", "new", "shout")
    assert written.returncode == 0, written.stderr
    assert "jobs/tasks/shout.py" in written.stdout
    assert run(house, "pytest", "-q", "tests/tasks/test_shout.py").returncode == 0
    until(lambda: ada.get("/").select_one("a[href='/tasks/shout']"), "the new task")
    done = flask(
        house, running.data_dir, "task", "submit", "shout", "--as", "ada@example.com", "--text", "ha", "--follow"
    )
    assert (done.returncode, done.stdout) == (0, "ha ha ha\n"), done.stderr


def test_a_broken_file_is_named_and_the_previous_tasks_stay_until_it_is_fixed(house: Path, running: Stack) -> None:
    file = house / "jobs/tasks/reverse_text.py"
    right = file.read_text()
    file.write_text(f"{right}\n\nprint('loading')\nbroken()\n")
    words = "NameError: name 'broken' is not defined\nRunning processes keep the previous version until this is fixed."
    until(lambda: words in running.output, "the words about it")
    assert "jobs/tasks/reverse_text.py:" in running.output
    ada = Person(running.url, "ada@example.com")
    assert "Write a text backwards" in ada.get("/tasks/reverse_text").text
    file.write_text(right.replace("Write a text backwards", "Turn a text around"))
    until(lambda: "Turn a text around" in ada.get("/tasks/reverse_text").text, "the task as it is now")
    running.stop()
    assert running.output.count("The tasks have changed") == 1
    assert "leaked" not in running.output, "the web server that made way reports no leaks"


def test_a_start_with_broken_files_names_them_all_and_goes_on_with_the_others(house: Path, tmp_path: Path) -> None:
    (house / "jobs/tasks/broken.py").write_text("broken(\n")
    (house / "jobs/tasks/odd.py").write_text(ODD)
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    stack = Stack(data_dir, TASKS="")
    stack.root = house
    with stack:
        for words in ("jobs/tasks/broken.py:1: SyntaxError", "jobs/tasks/odd.py:3: task 'odd': parameter 'what'"):
            assert words in stack.output
        ada = Person(stack.url, "ada@example.com")
        run_id = ada.submit("reverse_text", text="hello")
        until(lambda: ada.get(f"/runs/{run_id}").select_one(".result"), "the result")
        assert "/tasks/odd" not in links(ada)
        file = house / "jobs/tasks/reverse_text.py"
        file.write_text(file.read_text().replace("Write a text backwards", "Turn a text around"))
        until(lambda: "Turn a text around" in ada.get("/tasks/reverse_text").text, "the task as it is now")
        assert "Traceback" not in stack.output


def test_processes_that_start_while_a_file_is_broken_serve_the_other_tasks_until_it_is_fixed(
    house: Path, running: Stack
) -> None:
    ada = Person(running.url, "ada@example.com")
    file = house / "jobs/tasks/reverse_text.py"
    right = file.read_text()
    file.write_text(f"{right}\n\nbroken(\n")
    until(lambda: "until this is fixed" in running.output, "the word about it")
    run_id = ada.submit("reverse_text", text="hello")
    until(lambda: ada.get(f"/runs/{run_id}").select_one(".result"), "the result by the task of before")
    for process in psutil.Process(running.process.pid).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):  # it has ended with the one before
            if "valkey" not in process.name():
                process.kill()
    until(lambda: "web exited" in running.output and links(ada), "the pages of a new web server")
    assert "/tasks/factorise" in links(ada)
    assert "/tasks/reverse_text" not in links(ada)
    file.write_text(right)
    until(lambda: "/tasks/reverse_text" in links(ada), "the task that is mended")
    run_id = ada.submit("reverse_text", text="hello")
    until(lambda: ada.get(f"/runs/{run_id}").select_one(".result"), "the result")
    assert "Traceback" not in running.output


def links(person: Person) -> list[object]:
    """Return the links on the start page, or none while the server restarts."""
    try:
        return [link["href"] for link in person.get("/").select("a[href]")]
    except OSError:
        return []


def test_the_doctor_names_a_file_that_is_wrong_and_what_does_not_run(house: Path, tmp_path: Path) -> None:
    (house / "jobs/tasks/odd.py").write_text(ODD)
    databases.fill(tmp_path)
    ill = flask(house, tmp_path, "doctor")
    assert ill.returncode == 1
    for words in ("jobs/tasks/odd.py:3: task 'odd': parameter 'what'", "Redis: not reachable", "workers: none running"):
        assert words in ill.stdout, ill.stdout + ill.stderr
