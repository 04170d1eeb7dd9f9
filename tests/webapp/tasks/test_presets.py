"""Presets: named inputs of a task, mine and shared."""

from collections.abc import Callable
from typing import Annotated, Any

import pytest
from flask import Flask
from pydantic import Field, SecretStr

from jobs import File, task
from jobs.authoring.task import Task
from jobs.runs import audit, presets
from jobs.runs.backend import Backend, open_backend
from jobs.runs.people import Role
from tests.support.people import owner_id
from tests.support.serving import catalog_of
from tests.support.visitor import Visitor, soup, the
from webapp import create_app
from webapp.accounts import users
from webapp.tasks.preset_inputs import fitting

SENT = {"dpi": "300", "shade": "dark", "key": "s3cret"}
PATH = "/tasks/draw/presets"
HTMX = {"HX_Request": "true"}


@task
def draw(table: File, key: SecretStr, dpi: Annotated[int, Field(ge=1, le=600)] = 72, shade: str = "light") -> str:
    """Draw a table."""
    return ""


@task(groups=["finance"])
def payroll(month: int = 1) -> str:
    """Add up wages."""
    return ""


@pytest.fixture
def app(backend: Backend) -> Flask:
    return create_app(open_backend(backend.settings, catalog_of(draw, payroll)))


@pytest.fixture
def boss(app: Flask) -> Visitor:
    return Visitor(app).registered("boss@example.com")


def saved(visitor: Visitor, **changes: str) -> int:
    """Save a preset, change it as asked, and return its id."""
    response = visitor.post(PATH, SENT)
    assert response.status_code == 303, response.text
    preset_id = int(response.headers["Location"].rpartition("-")[2])
    if changes:
        assert visitor.post(f"{PATH}/{preset_id}", changes).status_code == 303
    return preset_id


def inputs(visitor: Visitor, path: str) -> list[str]:
    page = soup(visitor.get(path))
    return [str(the(page, f"#{name}-input")["value"]) for name in ("dpi", "shade")]


def names(visitor: Visitor) -> list[str]:
    return [one.text for one in soup(visitor.get(PATH)).select(".presets__one h2")]


def test_inputs_are_saved_named_loaded_and_deleted(ada: Visitor, backend: Backend) -> None:
    preset = saved(ada, name=" Dark \n prints ")
    assert names(ada) == ["Dark prints"]
    assert inputs(ada, f"/tasks/draw?preset={preset}") == ["300", "dark"]
    assert inputs(ada, "/tasks/draw") == ["72", "light"], "it is no default"
    assert "s3cret" not in ada.get(f"/tasks/draw?preset={preset}").text
    with backend.database.read() as session:
        (row,) = presets.of_owner(session, owner_id(backend, ada.email))
    assert row.parameters == {"dpi": 300, "shade": "dark"}, "neither its file nor its secret"
    assert ada.post(f"{PATH}/{preset}/delete").status_code == 303
    assert names(ada) == []
    assert ada.get(f"/tasks/draw?preset={preset}").status_code == 404
    verbs = [entry.verb for entry in audit.listed(backend.database) if entry.verb.startswith("preset")]
    assert verbs == ["preset deleted", "preset changed", "preset saved"]


def test_htmx_gets_the_presets_with_a_field_for_the_name(ada: Visitor) -> None:
    section = soup(ada.post(PATH, SENT, **HTMX))
    assert the(section, "#presets input[name=name]")["value"] == "New preset"
    assert "Not part of it: Table, Key." in the(section, "[role=status]").text
    again = soup(ada.post(PATH, SENT, **HTMX))
    assert the(again, "input[name=name]")["value"] == "New preset (2)"


@pytest.mark.parametrize(
    ("sent", "words"),
    [({"dpi": "0"}, "Dpi: "), ({"dpi": "many"}, "Dpi: "), ({"dpi": "300", "shade": "x" * 200_000}, "shorter")],
)
def test_inputs_with_an_error_are_not_saved(ada: Visitor, sent: dict[str, str], words: str) -> None:
    response = ada.post(PATH, sent, **HTMX)
    assert response.status_code == 422
    assert words in the(soup(response), "[role=alert]").text
    assert names(ada) == []


def test_a_default_fills_the_form_until_something_else_is_asked_for(ada: Visitor, ben: Visitor) -> None:
    first, second = saved(ada, name="a", default="1"), saved(ada, name="b", default="1", shared="1")
    assert inputs(ada, "/tasks/draw") == ["300", "dark"]
    page = soup(ada.get("/tasks/draw"))
    assert "Filled in from “b”" in page.text, "one of them is the default"
    assert [one["href"] for one in page.select(".presets__links a")] == [
        *(f"/tasks/draw?preset={number}" for number in (first, second, "none")),
        PATH,
    ]
    assert inputs(ada, "/tasks/draw?preset=none") == ["72", "light"]
    assert inputs(ben, "/tasks/draw") == ["72", "light"], "somebody else's default is not his"


def test_a_shared_preset_is_changed_by_its_maker_and_those_in_charge(
    ada: Visitor, ben: Visitor, boss: Visitor, backend: Backend
) -> None:
    mine, shared = saved(ada, name="mine"), saved(ada, name="ours", shared="1")
    users.set_role(backend.database, owner_id(backend, boss.email), Role.MANAGER)
    for visitor, status in ((ben, 403), (boss, 303)):
        assert names(visitor) == ["ours"]
        assert inputs(visitor, f"/tasks/draw?preset={shared}") == ["300", "dark"]
        assert visitor.get(f"/tasks/draw?preset={mine}").status_code == 404
        for end in ("", "/delete"):
            assert visitor.post(f"{PATH}/{mine}{end}", {"name": "x"}).status_code == 404
        assert visitor.post(f"{PATH}/{shared}", {"name": "theirs", "shared": "1"}).status_code == status
    assert names(ada) == ["mine", "theirs"]
    assert ben.post(f"{PATH}/{shared}/delete").status_code == 403
    assert boss.post(f"{PATH}/{shared}/delete").status_code == 303
    assert names(ada) == ["mine"]


@pytest.mark.parametrize(
    ("name", "words"), [("", "Enter a name"), ("x" * 81, "80 characters"), ("other", "has this name")]
)
def test_a_name_that_cannot_be_is_refused_at_its_field(ada: Visitor, name: str, words: str) -> None:
    preset = saved(ada, name="one")
    saved(ada, name="other")
    for headers in ({}, HTMX):
        response = ada.post(f"{PATH}/{preset}", {"name": name}, **headers)
        assert response.status_code == 422
        assert words in the(soup(response), f"#preset-{preset}-error").text
    assert names(ada) == ["one", "other"]


def test_a_task_for_a_group_keeps_its_presets_to_itself(ada: Visitor, boss: Visitor, backend: Backend) -> None:
    users.set_role(backend.database, owner_id(backend, boss.email), Role.ADMINISTRATOR)
    made = boss.post("/tasks/payroll/presets", {"month": "7"})
    preset = made.headers["Location"].rpartition("-")[2]
    assert boss.post(f"/tasks/payroll/presets/{preset}", {"name": "July", "shared": "1"}).status_code == 303
    for path in ("/tasks/payroll/presets", f"/tasks/payroll?preset={preset}", f"/tasks/draw?preset={preset}"):
        assert ada.get(path).status_code == 404
    assert ada.post(f"/tasks/payroll/presets/{preset}/delete").status_code == 404
    assert ada.post(f"{PATH}/{preset}/delete").status_code == 404, "nor through another task"


def test_the_last_inputs_are_offered(ada: Visitor, backend: Backend) -> None:
    users.set_role(backend.database, owner_id(backend, ada.email), Role.ADMINISTRATOR)
    run_id = ada.submit("payroll", month="7")
    assert the(soup(ada.get("/tasks/payroll")), ".presets__links a")["href"] == f"/tasks/payroll?run={run_id}"


def definition(function: Callable[..., Any]) -> Task:
    found = function.__dict__["__task__"]
    assert isinstance(found, Task)
    return found


def test_what_no_longer_fits_is_left_out_and_named() -> None:
    values = {"dpi": 9999, "shade": "dark", "paper_size": "A4", "key": "now a secret", "table": "now a file"}
    assert fitting(definition(draw), values) == ({"shade": "dark"}, ["Dpi", "Paper size", "Key", "Table"])
    assert fitting(definition(draw), {"dpi": 5}) == ({"dpi": 5}, [])
