"""Signatures: each is refused at start with what to do, or its form can be sent, run, and sent again."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from jobs.runs.backend import Backend
from jobs.runs.run import Run, State
from tests.signatures import compounds, defaults, refusals, scalars
from tests.signatures.case import Case
from tests.support import databases
from tests.support.html_form import sent_by
from tests.support.person import Person
from tests.support.stack import ROOT, Stack
from tests.support.visitor import the
from tests.support.waiting import until

# One application serves all of them.
pytestmark = pytest.mark.xdist_group("signatures")

PATIENCE_SECONDS = 60
MODULES = (scalars, compounds, defaults, refusals)
CASES: dict[str, Case] = {
    f"{module.__name__.rpartition('.')[2]}: {name}": case for module in MODULES for name, case in module.CASES.items()
}
NAMES = {name: f"case_{number}" for number, name in enumerate(CASES)}
ACCEPTED = [name for name, case in CASES.items() if not case.refused]
REFUSED = [name for name, case in CASES.items() if case.refused]


@dataclass(frozen=True)
class Given:
    """The application, its folder of tasks, and the owner of all runs."""

    stack: Stack
    folder: Path
    backend: Backend
    owner: Person

    def run(self, path: str, sends: Mapping[str, object]) -> Run:
        """Open a form, send it with these changes, and return the run when it has ended."""
        posted = sent_by(the(self.owner.get(path), "#task-form"))
        for name, value in sends.items():
            posted.setlist(name, value if isinstance(value, list) else [str(value)])
        run_id = self.owner.submit_all(path.split("?")[0].rpartition("/")[2], posted)
        until(lambda: self._run(run_id).state.ended, f"the end of {path}", PATIENCE_SECONDS)
        return self._run(run_id)

    def _run(self, run_id: int) -> Run:
        with self.backend.database.read() as session:
            return session.get_one(Run, run_id)


@pytest.fixture(scope="session")
def given(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Given]:
    """An application with a file for each signature."""
    folder = tmp_path_factory.mktemp("signatures")
    for name, case in CASES.items():
        (folder / f"{NAMES[name]}.py").write_text(case.file(NAMES[name]))
    with Stack(tmp_path_factory.mktemp("given"), WORKERS="1", WEB_CONCURRENCY="1", TASKS=str(folder)) as stack:
        backend = stack.backend()
        yield Given(stack, folder, backend, Person(stack.url, "ada@example.com"))
        backend.database.close()


@pytest.mark.parametrize("name", ACCEPTED)
def test_what_a_form_sends_reaches_the_task_and_fills_the_form_again(given: Given, name: str) -> None:
    case, task = CASES[name], f"/tasks/{NAMES[name]}"
    run = given.run(task, case.sends)
    assert (run.state, run.error_message, run.result) == (State.SUCCEEDED, None, case.gets)
    page = the(given.owner.get(f"/runs/{run.id}"), ".run-full__body").text
    assert "cannot be shown" not in page
    in_zone = case.sends if "_zone" in case.sends else {}  # the page's script converts what it was given
    again = given.run(f"{task}?run={run.id}", in_zone)
    assert (again.state, again.error_message, again.result) == (State.SUCCEEDED, None, case.gets)


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_form_can_send_is_named_at_start_with_what_to_do(given: Given, name: str) -> None:
    place = re.escape(f"{given.folder}/{NAMES[name]}.py:")
    (line,) = re.findall(rf"^{place}\d+: (task .*)$", given.stack.output, re.MULTILINE)
    assert line.startswith(f"task '{NAMES[name]}': ")
    assert CASES[name].refused in line
    assert line.endswith(".") or "remove" in line or "such as" in line


def test_only_what_was_refused_is_left_out_and_nothing_ends_in_a_traceback(given: Given) -> None:
    links = [str(link["href"]) for link in given.owner.get("/").select("a[href^='/tasks/']")]
    assert set(links) == {f"/tasks/{NAMES[name]}" for name in ACCEPTED}
    assert "Traceback" not in given.stack.output


@pytest.mark.parametrize(("command", "code"), [(["doctor"], 1), (["task", "list"], 0)])
def test_commands_name_what_was_refused_and_go_on(given: Given, command: list[str], code: int) -> None:
    data_dir = given.stack.data_dir
    own = {"DATA_DIR": str(data_dir), "DATABASE_URL": databases.url_of(data_dir), "TASKS": str(given.folder)}
    flask = [sys.executable, "-m", "flask", *command]
    done = subprocess.run(
        flask, cwd=ROOT, env={"PATH": os.environ["PATH"], **own}, capture_output=True, text=True, timeout=120
    )
    said = done.stdout + done.stderr
    assert done.returncode == code, said
    assert "Traceback" not in said
    for name in REFUSED:
        assert f"{NAMES[name]}.py:" in said
