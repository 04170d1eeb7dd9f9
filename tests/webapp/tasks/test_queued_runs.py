"""The most runs that a user may have waiting, over every door."""

from dataclasses import replace

import pytest

from jobs.runs.backend import Backend
from tests.support.program import Program
from tests.support.visitor import Visitor, soup, the
from webapp import create_app


@pytest.fixture
def ada(backend: Backend) -> Visitor:
    """A user who may have one run waiting, and has."""
    settings = backend.settings.model_copy(update={"user_queued_runs": 1})
    visitor = Visitor(create_app(replace(backend, settings=settings))).registered("ada@example.com")
    visitor.submit("reverse_text", text="first")
    return visitor


def test_the_form_says_so_and_keeps_what_was_typed(ada: Visitor) -> None:
    response = ada.post("/tasks/reverse_text", {"text": "second"})
    assert (response.status_code, response.headers["Retry-After"]) == (429, "60")
    page = soup(response)
    assert "You have 1 run waiting" in the(page, "#task-form").text
    assert the(page, "[name=text]").text.strip() == "second"


def test_a_program_is_told_when_to_come_back(ada: Visitor) -> None:
    program = Program.signed_in(ada.client.application, ada.email)
    response = program.post("/tasks/reverse_text/runs", {"text": "second"})
    assert (response.status_code, response.headers["Retry-After"]) == (429, "60")
    assert "as many as allowed" in response.get_json()["detail"]


def test_a_retry_counts_too(ada: Visitor) -> None:
    ada.post("/runs/1/cancel")
    ada.submit("reverse_text", text="second")
    assert ada.post("/runs/1/retry").status_code == 429
