"""Tasks in a folder outside the project, as docs/make-it-yours.md sets it up."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.person import Person
from tests.support.stack import ROOT, Stack, free_port
from tests.support.visitor import the
from tests.support.waiting import until

pytestmark = pytest.mark.xdist_group("own tasks")  # they share what runs

DOCUMENT = ROOT / "docs" / "make-it-yours.md"
WRITTEN = re.compile(r"`\.\./parcels/([\w/.]+)`:\n\n```\w+\n(.*?)```", re.DOTALL)
# multiprocessing starts a new Python, which has to find the class of what it gets and of what it returns.
SPAWNING = """
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

from jobs import task

from ._prices import EURO_PER_KILOGRAM


@dataclass
class Parcel:
    kilograms: float


def price(parcel: Parcel) -> Parcel:
    return Parcel(parcel.kilograms * EURO_PER_KILOGRAM)


@task
def spawn(kilograms: float) -> float:
    spawned = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, spawned) as pool:
        return pool.submit(price, Parcel(kilograms)).result().kilograms
"""


@pytest.fixture(scope="module")
def parcels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder, with the files of the recipe and a task that starts processes."""
    folder = tmp_path_factory.mktemp("parcels")
    for name, content in WRITTEN.findall(DOCUMENT.read_text()):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(content)
    (folder / "spawn.py").write_text(SPAWNING)
    return folder


@pytest.fixture(scope="module")
def running(parcels: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("data"), TASKS=str(parcels)) as stack:
        yield stack


def run(data_dir: Path, folders: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    own = {"PATH": os.environ["PATH"], "DATA_DIR": str(data_dir), "PORT": str(free_port()), "TASKS": folders}
    command = [sys.executable, "-m", *arguments]
    return subprocess.run(command, cwd=ROOT, env=own, capture_output=True, text=True, timeout=120)


def result_of(person: Person, task: str, **parameters: str) -> str:
    run_id = person.submit(task, **parameters)
    until(lambda: person.get(f"/runs/{run_id}").select_one("[data-state=succeeded]"), f"the end of {task}")
    return the(person.get(f"/runs/{run_id}"), ".run-full__result .result").text


def taken_up(shows: Callable[[], bool]) -> None:
    """Wait until what runs shows a change; a server that makes way for another may hang up meanwhile."""

    def looks() -> bool:
        with suppress(OSError):
            return shows()
        return False

    until(looks, "the change")


def test_the_tasks_of_the_folder_are_offered_and_no_others(running: Stack) -> None:
    ada = Person(running.url, "ada@example.com")
    assert [link["href"] for link in ada.get("/").select(".task a")] == ["/tasks/postage", "/tasks/spawn"]
    assert result_of(ada, "postage", kilograms="2.5") == "6.25 €"


def test_a_new_task_is_written_into_the_folder_with_a_passing_test_and_is_served(running: Stack, parcels: Path) -> None:
    ada = Person(running.url, "bea@example.com")
    written = run(running.data_dir, str(parcels), "flask", "task", "new", "weigh")
    assert written.stdout.splitlines()[:2] == [f"Created {parcels}/weigh.py", f"Created {parcels}/tests/test_weigh.py"]
    tested = run(running.data_dir, str(parcels), *re.findall(r"Test it: \S+ -m (.*)", written.stdout)[0].split())
    assert tested.returncode == 0, tested.stdout
    assert "2 passed" in tested.stdout
    taken_up(lambda: result_of(ada, "weigh", text="ha", times="2") == "ha ha")


def test_a_changed_helper_and_a_changed_template_take_effect(running: Stack, parcels: Path) -> None:
    ada = Person(running.url, "cleo@example.com")
    (parcels / "_prices.py").write_text("EURO_PER_KILOGRAM = 3\n")
    (parcels / "results/postage.html").write_text('<p class="result">{{ result.value }} euros</p>')
    taken_up(lambda: result_of(ada, "postage", kilograms="2") == "6.0 euros")


def test_a_task_can_start_processes_that_import_it_again(running: Stack) -> None:
    assert result_of(Person(running.url, "dora@example.com"), "spawn", kilograms="2") in ("5.0", "6.0")


def test_a_folder_that_goes_is_named_and_what_runs_keeps_its_tasks(running: Stack, parcels: Path) -> None:
    ada = Person(running.url, "emma@example.com")
    away = parcels.rename(parcels.with_name("away"))
    until(lambda: f"TASKS: {parcels} cannot be read: No such file" in running.output, "the words about it")
    assert ada.get("/").select_one("a[href='/tasks/postage']")
    away.rename(parcels)


def test_the_folders_that_are_named_are_loaded_together(parcels: Path, tmp_path: Path) -> None:
    both = f"{parcels}:tests/support/tasks"
    listed = run(tmp_path, both, "flask", "task", "list").stdout
    assert f"{parcels}/postage.py:" in listed
    assert "tests/support/tasks/reverse_text.py:" in listed
    (tmp_path / "reverse_text.py").write_text((ROOT / "tests/support/tasks/reverse_text.py").read_text())
    twice = run(tmp_path, f"{both}:{tmp_path}", "flask", "task", "list")
    words = f"{tmp_path}/reverse_text.py:10: task 'reverse_text' is already defined at tests/support/tasks/reverse_text"
    assert words in twice.stderr
    assert "postage" in twice.stdout


def test_a_start_without_the_folder_names_the_setting(tmp_path: Path) -> None:
    done = run(tmp_path / "data", f"{tmp_path}/none", "webapp")
    assert (done.returncode, done.stdout) == (1, "")
    reason = f"TASKS: {tmp_path}/none cannot be read: No such file or directory."
    assert done.stderr == f"Dumbwaiter cannot start: {reason} Create this folder, or name another one.\n"
