"""The recipes of docs/make-it-yours.md, applied to a copy of the project as they are written."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.html_form import sent_by
from tests.support.person import Person
from tests.support.stack import ROOT, Stack, copied_project
from tests.support.visitor import the
from tests.support.waiting import until

# They share what runs, and what they show does not depend on the database.
pytestmark = [pytest.mark.xdist_group("recipes"), pytest.mark.only_on("sqlite")]

DOCUMENT = (ROOT / "docs" / "make-it-yours.md").read_text()
NEW_FILE = re.compile(r"`((?!\.\.)[\w/]+\.(?:py|html))`:\n\n```\w+\n(.*?)```", re.DOTALL)
EDIT = re.compile(r"[Ii]n\s`([\w/]+\.(?:py|html))`[^`]*(?:`[^`]*`[^`]*)?:\n\n```\w+\n(.*?)```", re.DOTALL)
FIRST_CODE = re.compile(r"```python\n(.*?)```", re.DOTALL)


def section(title: str) -> str:
    return DOCUMENT.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def insert(path: Path, before: str, *texts: str) -> None:
    content = path.read_text()
    assert content.count(before) == 1, (path, before)
    path.write_text(content.replace(before, "".join(texts) + before))


def edits(title: str) -> dict[str, str]:
    return dict(EDIT.findall(section(title)))


def new_files(title: str) -> dict[str, str]:
    return {name: content for name, content in NEW_FILE.findall(section(title)) if name not in edits(title)}


def add_a_kind_of_field(house: Path) -> None:
    edit = edits("Add a kind of field")
    insert(house / "webapp/forms/signature.py", '    "long-text": "long_text",\n', edit["webapp/forms/signature.py"])
    insert(house / "webapp/forms/fields.py", '    "secret": "password",\n', edit["webapp/forms/fields.py"])


def add_a_page(house: Path) -> None:
    insert(house / "webapp/application.py", "from webapp.accounts import", "from webapp import about\n")
    insert(house / "webapp/application.py", "tasks, pin_views, preset_views,", "about, ")
    link = edits("Add a page")["templates/_partials/header.html"]
    insert(house / "templates/_partials/header.html", "      {% if viewer.is_admin %}", link)


def add_a_column(house: Path) -> None:
    edit = edits("Add a column to runs")
    column = "    " + edit["jobs/runs/run.py"]
    insert(house / "jobs/runs/run.py", "    version: Mapped[int]", column)
    views = house / "webapp/runs/views.py"
    insert(views, "from jobs.runs import", "from jobs.runs import remarks\n")
    views.write_text(views.read_text() + "\n\n" + edit["webapp/runs/views.py"])
    full = house / "templates/runs/_full.html"
    times = full.read_text().partition('{% include "runs/_times.html" %}')[0].rpartition("<section")[0]
    full.write_text(full.read_text().replace(times, times + edit["templates/runs/_full.html"]))


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with the files and edits of the recipes."""
    house = copied_project(tmp_path_factory.mktemp("recipes") / "house")
    (house / "jobs/tasks/weigh.py").write_text(FIRST_CODE.findall(section("Add a task with options"))[0])
    for title in ("Show a result your way", *RECIPES):
        for name, content in new_files(title).items():
            (house / name).write_text(content)
    for apply in RECIPES.values():
        apply(house)
    return house


RECIPES = {
    "Add a kind of field": add_a_kind_of_field,
    "Add a page": add_a_page,
    "Add a column to runs": add_a_column,
}


@pytest.fixture(scope="module")
def running(house: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    data = tmp_path_factory.mktemp("data")
    for arguments in (("upgrade", "head"), ("revision", "--autogenerate", "-m", "a remark on runs")):
        migrated(house, data, *arguments)
    stack = Stack(data, TASKS="jobs/tasks", DATABASE_URL="")
    stack.root = house
    with stack:
        migrated(house, data, "check")
        yield stack


def migrated(house: Path, data: Path, *arguments: str) -> None:
    own = {"PATH": os.environ["PATH"], "DATA_DIR": str(data)}
    command = [sys.executable, "-m", "alembic", *arguments]
    done = subprocess.run(command, cwd=house, env=own, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def ada(running: Stack) -> Person:
    return Person(running.url, "ada@example.com")


def result_of(person: Person, run_id: int) -> str:
    until(lambda: person.get(f"/runs/{run_id}").select_one("[data-state=succeeded]"), "the end of the run")
    return " ".join(the(person.get(f"/runs/{run_id}"), ".run-full__result .result").text.split())


def test_a_task_with_options_shows_its_result_its_own_way(ada: Person) -> None:
    form = the(ada.get("/tasks/weigh"), "form[action='/tasks/weigh']")
    values = sent_by(form)
    values[str(the(form, "input[type=number]")["name"])] = "1.2"
    assert result_of(ada, ada.submit_all("weigh", values)) == "1.2 kg in 1 parcels"


def test_a_kind_of_field_is_picked_and_reaches_its_task(ada: Person) -> None:
    field = the(ada.get("/tasks/paint"), "#field-colour input")
    assert (field["type"], field["value"]) == ("color", "#1d6f5c")
    assert result_of(ada, ada.submit("paint", colour="#aa0000")) == "Painted in #aa0000"


def test_a_page_is_linked_and_shown(ada: Person) -> None:
    assert the(ada.get("/"), 'a[href="/about"]').text == "About"
    assert the(ada.get("/about"), "h1").text == "About"


def test_a_column_is_written_by_the_owner_and_shown(ada: Person) -> None:
    run_id = ada.submit("paint")
    assert ada.post(f"/runs/{run_id}/remark", remark="for the door") == f"/runs/{run_id}"
    assert the(ada.get(f"/runs/{run_id}"), "[name=remark]")["value"] == "for the door"
