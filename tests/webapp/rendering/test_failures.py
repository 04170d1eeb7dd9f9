"""A failed run: its message first, its traceback for those who may see code, and whom to ask."""

from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask

import config
from jobs.runs.backend import Backend
from jobs.runs.run import Run, State
from tests.support.people import make_run, owner_id
from tests.support.program import Program
from tests.support.visitor import Visitor, soup, the
from webapp.accounts import users
from webapp.current import put_backend
from webapp.live.snapshot import take_snapshot
from webapp.rendering.failures import contact_link, relative_paths
from webapp.rendering.listings import Listing

TRACEBACK = f'Traceback (most recent call last):\n  File "{config.ROOT}/jobs/tasks/bake.py", line 3, in bake\nOvenError'


@pytest.fixture
def run(backend: Backend, ada: Visitor) -> Run:
    words = {"error_kind": "OvenError", "error_message": "The oven is cold.", "error_traceback": TRACEBACK}
    return make_run(backend, owner_id(backend, ada.email), state=State.FAILED, **words)


def test_the_message_comes_first_and_the_class_and_traceback_after_it(ada: Visitor, run: Run) -> None:
    body = the(soup(ada.get(f"/runs/{run.id}")), ".run-full__body")
    assert body.text.strip().startswith("The oven is cold.")
    assert the(body, ".failure__kind").text == "OvenError"
    assert 'File "jobs/tasks/bake.py", line 3' in the(body, "details.traceback:not([open]) pre").text
    assert the(body, "[data-copied]").text.split("\n")[:3] == ["The oven is cold.", "OvenError", "Traceback"]
    assert "contact the administrator" in the(body, ".failure__help").text


def test_in_production_only_administrators_see_a_traceback_through_any_door(
    app: Flask, ada: Visitor, backend: Backend, run: Run
) -> None:
    settings = backend.settings.model_copy(update={"app_env": "production", "public_url": "http://localhost"})
    put_backend(app, replace(backend, settings=settings))
    program = Program.signed_in(app, ada.email)
    for is_admin in (False, True):
        users.set_admin(backend.database, ada.email, is_admin)
        assert (program.get(f"/runs/{run.id}").get_json()["error"]["traceback"] is not None) == is_admin
        for path in (f"/runs/{run.id}", f"/live/changes?run={run.id}"):
            page = ada.get(path).text
            assert "The oven is cold." in page
            assert ("bake.py" in page) == is_admin


def test_a_push_has_a_traceback_only_for_pages_of_those_who_may_see_it(app: Flask, backend: Backend, run: Run) -> None:
    with app.test_request_context("/live"):
        for code in (False, True):
            shown = take_snapshot(backend.database, Listing(run.owner_id, run_id=run.id, code=code), None)
            assert ("bake.py" in shown.fragments[run.id].html) == code


def test_only_paths_within_the_project_become_relative() -> None:
    frames = '  File "/app/jobs/x.py", line 1\n  File "/app2/y.py", line 2\n    open("/app/jobs/data")'
    assert relative_paths(frames, [Path("/app")]) == frames.replace('"/app/jobs/x.py"', '"jobs/x.py"')


@pytest.mark.parametrize(
    ("contact", "shown"),
    [
        ("", "the administrator"),
        ("Ada <in room 7>", "Ada <in room 7>"),
        ("help@example.com", '<a href="mailto:help@example.com">help@example.com</a>'),
        ("https://help.example.com/a?b", '<a href="https://help.example.com/a?b" rel="noopener">'),
        ("javascript:alert(1)", "javascript:alert(1)"),
    ],
)
def test_whom_to_ask_is_a_link_where_it_is_an_address(contact: str, shown: str) -> None:
    assert str(contact_link(contact)).startswith(shown)
