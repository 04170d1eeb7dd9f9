"""The runs on a task's page: rows without its title, which say what was entered."""

from typing import Annotated, Any, Literal

import pytest
from flask import Flask
from pydantic import Field

from jobs import task
from jobs.runs.backend import Backend, open_backend
from jobs.runs.run import State
from tests.support.people import make_run, owner_id
from tests.support.serving import catalog_of
from tests.support.visitor import Visitor, soup, the
from webapp import create_app


@task
def shape(
    dpi: Annotated[int, Field(title="Dots per inch")],
    size: Literal["small", "large"] = "small",
    tags: list[str] | None = None,
    note: str | None = None,
    round_off: bool = False,
) -> str:
    """Shape something."""
    return f"{dpi} {size} {tags} {note} {round_off}"


@task
def plain() -> str:
    """Do one thing."""
    return ""


@pytest.fixture
def app(backend: Backend) -> Flask:
    return create_app(open_backend(backend.settings, catalog_of(shape, plain)))


GIVEN: dict[str, Any] = {"dpi": 300, "size": "small", "tags": None, "note": None, "round_off": False}


@pytest.mark.parametrize(
    ("name", "parameters", "words"),
    [
        ("shape", GIVEN, "Dots per inch: 300"),
        ("shape", {**GIVEN, "size": "large", "round_off": True}, "Dots per inch: 300, Size: large, Round off: yes"),
        ("shape", {**GIVEN, "gone": 1, "note": ""}, "Dots per inch: 300, Note: empty, Gone: 1"),
        ("shape", {"size": "small"}, "Default inputs"),
        ("plain", {}, "No parameters"),
    ],
)
def test_a_row_says_by_label_what_differs_from_the_defaults(
    ada: Visitor, backend: Backend, name: str, parameters: dict[str, Any], words: str
) -> None:
    run = make_run(backend, owner_id(backend, ada.email), name, parameters=parameters)
    page = soup(ada.get(f"/tasks/{name}"))
    assert the(page, f"#run-{run.id} .run__parameters").text == words
    assert the(page, f"#run-{run.id} .run__title").text == f"Run #{run.id}"
    assert "titles=no" in str(the(page, "#live")["hx-ws:connect"]), "pushed rows are alike"
    stopped = soup(ada.post(f"/runs/{run.id}/cancel", {"view": the(page, "[name=view]")["value"]}, HX_Request="true"))
    assert the(stopped, ".run__title").text == f"Run #{run.id}"
    assert name.capitalize() in the(soup(ada.get("/runs")), f"#run-{run.id} .run__title").text


def test_a_submitted_run_comes_as_such_a_row(ada: Visitor) -> None:
    row = soup(ada.post("/tasks/shape", {"dpi": "300", "size": "large"}, HX_Request="true"))
    assert the(row, ".run__title").text == "Run #1"


def test_the_newest_runs_lead_to_all_runs_of_the_task(ada: Visitor, backend: Backend) -> None:
    for _ in range(11):
        make_run(backend, owner_id(backend, ada.email), "plain", parameters={}, state=State.SUCCEEDED)
    page = soup(ada.get("/tasks/plain"))
    assert len(page.select(".run")) == 10
    assert the(page, ".runs__more a")["href"] == "/runs?q=task:plain"


def test_radios_of_short_words_stand_in_a_row(ada: Visitor) -> None:
    assert soup(ada.get("/tasks/shape")).select(".choices--row [name=size]")
