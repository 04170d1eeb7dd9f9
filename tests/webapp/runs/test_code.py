"""The version of the code on a run's page and in the API."""

from dataclasses import replace

from jobs.runs.backend import Backend
from tests.support.people import execute, run_of
from tests.support.program import Program
from tests.support.visitor import Visitor, soup, the
from webapp import create_app


def test_a_run_shows_its_code_and_runs_on_the_current_one(ada: Visitor, backend: Backend) -> None:
    run_id = ada.submit("reverse_text", text="hello")
    assert "commit" not in the(soup(ada.get(f"/runs/{run_id}")), ".run-full__facts").text
    execute(backend, run_id)
    code = backend.tasks["reverse_text"].code
    version, _, commit = code.partition(" ")
    assert run_of(backend, run_id).code == code
    page = soup(ada.get(f"/runs/{run_id}"))
    words = the(page, ".run-full__facts").text
    assert version[:7] in words
    assert commit[:7] in words
    assert "It has changed since" not in words
    assert "Run again" in the(page, ".run-full__actions").text
    program = Program.signed_in(ada.client.application, ada.email)
    assert program.get(f"/runs/{run_id}").get_json()["code"] == code
    other = replace(backend.tasks["reverse_text"], code="0123456789ab")
    later = Visitor(create_app(replace(backend, tasks={**backend.tasks, "reverse_text": other})))
    later.post("/login", {"email": ada.email, "password": "correct horse battery staple"})
    page = soup(later.get(f"/runs/{run_id}"))
    assert "It has changed since" in the(page, ".run-full__facts").text
    assert "Run on the current code" in the(page, ".run-full__actions").text
