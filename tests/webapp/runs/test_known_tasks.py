"""Runs of tasks that exist no more: their pages stay readable, and say that no worker has the task."""

import io
from dataclasses import replace
from typing import Annotated, Literal

import pytest
from flask import Flask
from pydantic import BaseModel, Field, SecretStr

from jobs import File, task
from jobs.authoring.catalog import Catalog
from jobs.runs import heartbeats, lease
from jobs.runs.backend import Backend
from jobs.runs.lease import UNKNOWN_SECONDS
from jobs.runs.run import Run, State
from jobs.runs.task_records import TaskRecord, TaskRow, record_task, recorded_task, tasks_of
from jobs.runs.wait_estimate import wait_estimates
from tests.support.people import claimed, make_owner, make_run, owner_id, read
from tests.support.serving import catalog_of
from tests.support.visitor import ORIGIN, Visitor, soup, the
from webapp import create_app
from webapp.current import put_backend
from webapp.runs.known_tasks import known_task

NO_WORKER = "No worker has this task"


class Oven(BaseModel):
    heat: Annotated[int, Field(title="Temperature", json_schema_extra={"unit": "°C"})] = 200


@task(title="Bake a cake")
def bake_cake(
    recipe: Annotated[File, Field(title="Recipe card")],
    kind: Annotated[Literal["a", "b"], Field(title="Kind of cake")] = "a",
    oven: Oven = Oven(),  # noqa: B008  # nothing changes it
    door_code: SecretStr | None = None,
) -> str:
    """Bake a cake."""
    return recipe.open().read().decode()


@pytest.fixture
def app(backend: Backend) -> Flask:
    return create_app(replace(backend, catalog=catalog_of(bake_cake)))


@pytest.fixture
def baked(app: Flask, ada: Visitor, backend: Backend) -> Run:
    """A run that has ended, of a task that was then deleted."""
    card = (io.BytesIO(b"flour"), "card.txt")
    sent = {"recipe": card, "kind": "b", "oven.heat": "180", "door_code": "sesame-open"}
    response = ada.client.post("/tasks/bake_cake", data=sent, headers=ORIGIN, content_type="multipart/form-data")
    run = Run(id=int(response.headers["Location"].rpartition("/")[2]))
    lease.succeed(backend.database, claimed(backend, run), "cake")
    delete_tasks(app, backend)
    return read(backend, run)


def delete_tasks(app: Flask, backend: Backend) -> None:
    put_backend(app, replace(backend, catalog=Catalog({})))


def test_its_title_its_labels_and_its_files_stay_readable(ada: Visitor, baked: Run) -> None:
    page = soup(ada.get(f"/runs/{baked.id}"))
    assert the(page, "h1").text == f"Bake a cake #{baked.id}"
    facts = the(page, ".run-full__facts .definitions")
    assert [term.text for term in facts.select("dt")] == [
        "Recipe card", "Kind of cake", "Oven", "Temperature", "Door code",
    ]  # fmt: skip
    assert "180 °C" in facts.text
    assert "sesame" not in page.text
    link = the(facts, "a[download]")
    assert (link.text, ada.get(str(link["href"])).data) == ("card.txt", b"flour")
    for address in ("/", "/runs", "/live/changes?shown=", f"/live/changes?run={baked.id}"):
        assert "card.txt" in ada.get(address).text, address


def test_it_cannot_run_again_and_says_why(ada: Visitor, baked: Run, backend: Backend) -> None:
    page = soup(ada.get(f"/runs/{baked.id}"))
    assert NO_WORKER in the(page, ".run-full__actions").text
    assert page.select(f"[action$=retry], [href^='/tasks/{baked.task}']") == []
    for state in (State.SUCCEEDED, State.FAILED, State.CANCELLED):
        run = make_run(backend, baked.owner_id, baked.task, state=state)
        response = ada.post(f"/runs/{run.id}/retry")
        assert (response.status_code, NO_WORKER in response.text) == (409, True)
        assert read(backend, run).state is state
    response = ada.get(f"/tasks/{baked.task}?run={baked.id}")
    assert (response.status_code, NO_WORKER in response.text) == (404, True)


def test_the_history_is_filtered_by_it(ada: Visitor, baked: Run, backend: Backend) -> None:
    make_run(backend, make_owner(backend, "ben@example.com"), "bens_task")
    other = make_run(backend, baked.owner_id, "older_task")
    page = soup(ada.get("/runs?task=bake_cake"))
    choices = page.select("#filter-task optgroup option")
    assert [(one["value"], one.text) for one in choices] == [("bake_cake", "Bake a cake"), ("older_task", "Older task")]
    assert [one["value"] for one in page.select("#filter-task [selected]")] == ["bake_cake"]
    assert [row["id"] for row in page.select(".run")] == [f"run-{baked.id}"]
    assert [row["id"] for row in soup(ada.get("/runs?task=older_task")).select(".run")] == [f"run-{other.id}"]


def test_a_task_that_was_never_recorded_is_named_as_its_code_would_be(
    ada: Visitor, app: Flask, backend: Backend
) -> None:
    given = {"$file": {"sha256": "0" * 64, "size": 3, "name": "a\u202eb.txt", "media_type": "text/plain"}}
    parameters = {"start_date": "2026-01-01", "a_file": given, "many": [given, {"more": given}], "text": "", "Text": 1}
    run = make_run(backend, owner_id(backend, ada.email), "old_task", parameters=parameters)
    page = soup(ada.get(f"/runs/{run.id}"))
    assert the(page, "h1").text == f"Old task #{run.id}"
    facts = the(page, ".run-full__facts .definitions")
    assert [term.text for term in facts.select("dt")][:3] == ["Start date", "A file", "Many"]
    assert [term.text for term in facts.find_all("dt", recursive=False)][-2:] == ["text", "Text"], "one would be lost"
    assert [link.text for link in facts.select("a[download]")] == ["ab.txt"] * 3
    assert "$file" not in page.text


def test_a_waiting_run_says_that_no_worker_has_its_task(ada: Visitor, app: Flask, backend: Backend) -> None:
    ada_id = owner_id(backend, ada.email)
    gone, known = make_run(backend, ada_id, "gone"), make_run(backend, ada_id, "bake_cake", parameters={})

    def words(run: Run) -> str:
        rows = (ada.get("/runs"), ada.get(f"/runs/{run.id}"))
        (said,) = {the(soup(row), f"#run-{run.id}-wait_estimate").text for row in rows}
        return said

    assert words(gone) == f"{NO_WORKER}. It fails after {UNKNOWN_SECONDS / 60:.0f} minutes."
    assert words(known).startswith("No worker is running")
    heartbeats.seen(backend.database, "of an earlier version")
    assert (NO_WORKER in words(gone), words(known)) == (True, "2nd for you; when it starts can't be known yet")
    heartbeats.gone(backend.database, "of an earlier version")
    heartbeats.seen(backend.database, "of a deployment that goes", ["gone", "other"])
    assert (words(gone), NO_WORKER in words(known)) == ("Next in line", True)
    heartbeats.seen(backend.database, "of a deployment that comes", ["bake_cake"])
    assert words(gone) == "Next in line"
    assert words(known).startswith("2nd for you")


def test_a_worker_tells_its_tasks(backend: Backend) -> None:
    run = make_run(backend, make_owner(backend), "bake_cake")
    for tasks, known in ((None, None), (["stir"], None), (["bake_cake", "stir"], None)):
        heartbeats.seen(backend.database, str(tasks), tasks)
        assert wait_estimates(backend.database, [run])[run.id].has_task is known
    heartbeats.gone(backend.database, "None")
    assert wait_estimates(backend.database, [run])[run.id].has_task is True
    assert heartbeats.alive(backend.database) == 2


def test_a_record_is_replaced_and_one_that_cannot_be_read_breaks_nothing(app: Flask, backend: Backend) -> None:
    for title in ("Bake", "Bake a cake"):
        record_task(backend.database, "bake", TaskRecord(title, {"properties": {"a": {"type": "soup"}}, "max": 1e999}))
    record = recorded_task(backend.database, "bake")
    assert record is not None
    assert record.title == "Bake a cake"
    with app.app_context():
        assert (known_task("bake").title, known_task("bake").fields) == ("Bake a cake", {})
    with backend.database.read() as session:
        assert session.query(TaskRow).count() == 1


def test_the_tasks_of_an_owner_are_those_of_all_his_runs(backend: Backend) -> None:
    ada, ben = make_owner(backend, "ada@example.com"), make_owner(backend, "ben@example.com")
    for name in ("b", "a", "b", "c", "ö"):
        make_run(backend, ada, name)
    make_run(backend, ben, "d")
    assert sorted(tasks_of(backend.database, ada)) == ["a", "b", "c", "ö"]
    assert tasks_of(backend.database, make_owner(backend, "carl@example.com")) == []
