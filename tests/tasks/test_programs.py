"""The programs on a task's page, run as they are shown, with each task's example."""

import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import playwright
import pytest
from bs4 import Tag

from jobs.authoring import load_catalog
from jobs.authoring.folders import OF_THE_PROJECT
from tests.support.person import Person
from tests.support.program import token_of
from tests.support.stack import Stack
from tests.support.visitor import the
from tests.support.waiting import until

# They share what runs, and what they send does not depend on the database.
pytestmark = [pytest.mark.xdist_group("programs"), pytest.mark.only_on("sqlite")]

NODE = Path(playwright.__file__).parent / "driver" / "node"
RUNNERS = {
    "Python": [sys.executable, "-S", "program.py"],
    "JavaScript": [str(NODE), "program.mjs"],
    "curl": ["sh", "program.sh"],
}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("data"), TASKS=str(OF_THE_PROJECT)) as stack:
        yield stack


@pytest.fixture(scope="module")
def ada(running: Stack) -> Person:
    return Person(running.url, "ada@example.com")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, running: Stack) -> Path:
    """A folder with the client and the files of all examples."""
    folder = tmp_path_factory.mktemp("programs")
    with urllib.request.urlopen(f"{running.url}/api/client.py") as answer:
        (folder / "dumbwaiter.py").write_bytes(answer.read())
    for task in load_catalog([OF_THE_PROJECT]).values():
        for file in task.example_files:
            with file.open() as stream:
                (folder / file.name).write_bytes(stream.read())
    return folder


@pytest.fixture(scope="module")
def token(running: Stack, ada: Person) -> str:
    return token_of(running.url, ada.email)


@pytest.mark.parametrize("language", RUNNERS)
def test_every_example_is_run_by_the_program_on_its_page(ada: Person, folder: Path, token: str, language: str) -> None:
    failed = {}
    for name in load_catalog([OF_THE_PROJECT]):
        page = ada.example(name)
        [text] = [the(one, "pre").text for one in page.select(".programs__one") if the(one, "h3").text == language]
        (folder / RUNNERS[language][-1]).write_text(text)
        done = subprocess.run(
            RUNNERS[language],
            cwd=folder,
            env={"PATH": "/usr/local/bin:/usr/bin:/bin", "DUMBWAITER_TOKEN": token},
            capture_output=True,
            text=True,
            timeout=120,
        )
        if done.returncode or not done.stdout.strip() or re.search(r"status\W+4", done.stdout):
            failed[name] = f"{text}\n{done.stdout}\n{done.stderr}"
    assert failed == {}, "\n\n".join(failed.values())
    until(lambda: not runs(ada, "queued") + runs(ada, "running"), "the end of all runs")
    assert [state for state in ("failed", "cancelled") if runs(ada, state)] == []


def runs(person: Person, state: str) -> list[Tag]:
    return list(person.get(f"/runs?state={state}").select(".run"))


def test_a_program_follows_what_the_form_holds(ada: Person) -> None:
    form = the(ada.example("factorise"), "#task-form")
    assert str(the(form, "#number-input")["value"]) in the(form, ".programs__one pre").text
