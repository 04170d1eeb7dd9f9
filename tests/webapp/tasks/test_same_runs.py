"""A form and a program that ask for what runs already, or for a result that is kept."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from flask import Flask

from jobs import task
from jobs.runs import lease
from jobs.runs.backend import Backend, open_backend
from tests.support.program import Program
from tests.support.serving import catalog_of
from tests.support.visitor import Visitor, soup, the
from webapp import create_app


@task(unique="parameters", reuse=timedelta(days=1))
def bake(dish: str = "bread") -> str:
    """Bake something."""
    return dish


@pytest.fixture
def app(backend: Backend) -> Iterator[Flask]:
    opened = open_backend(backend.settings, catalog_of(bake))
    yield create_app(opened)
    opened.database.engine.dispose()


def test_a_form_leads_to_the_run_that_is_there_and_says_so(ada: Visitor, ben: Visitor, backend: Backend) -> None:
    run_id = ada.submit("bake", dish="bread")
    again = ada.post("/tasks/bake", {"dish": "bread"})
    assert (again.status_code, again.headers["Location"]) == (303, f"/runs/{run_id}?instead=unique")
    page = ada.get(again.headers["Location"])
    assert "this run with them has not ended. No other run was started." in the(soup(page), "main .missing").text
    assert not soup(page).select("main .missing form")
    scripted = ada.post("/tasks/bake", {"dish": "bread"}, HX_Request="true")
    assert (scripted.status_code, scripted.headers["HX-Redirect"]) == (204, f"/runs/{run_id}?instead=unique")
    assert ben.submit("bake", dish="bread") != run_id
    held = lease.claim(backend.database, run_id, "worker")
    assert held
    lease.succeed(backend.database, held, "baked")
    again = ada.post("/tasks/bake", {"dish": "bread"})
    assert again.headers["Location"] == f"/runs/{run_id}?instead=reuse"
    page = ada.get(again.headers["Location"])
    notice = the(soup(page), "main .missing")
    assert "This is the result of your earlier run" in notice.text
    assert notice.select("time")
    anyway = ada.post(str(the(notice, "form")["action"]))
    assert anyway.headers["Location"] != f"/runs/{run_id}"
    assert not soup(ada.get(anyway.headers["Location"])).select("main .missing")
    assert "No other run" not in ada.get(f"/runs/{run_id}?instead=none").text


def test_a_program_is_told_why_it_gets_an_earlier_run(ada: Visitor, app: Flask, backend: Backend) -> None:
    program = Program.signed_in(app, ada.email)

    def post(query: str = "", **headers: str) -> tuple[int, int, str | None]:
        answer = program.post(f"/tasks/bake/runs{query}", {"dish": "cake"}, **headers)
        return answer.status_code, answer.get_json()["id"], answer.get_json().get("existing")

    _status, run_id, _new = post()
    assert post() == (200, run_id, "unique")
    assert post(Idempotency_Key="one") == (200, run_id, "unique")
    assert post(Idempotency_Key="one") == (200, run_id, "key")
    held = lease.claim(backend.database, run_id, "worker")
    assert held
    lease.succeed(backend.database, held, "baked")
    assert post() == (200, run_id, "reuse")
    assert post("?anyway=true") == (201, run_id + 1, None)
