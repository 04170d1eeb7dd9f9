"""The stop door: a run that has started is asked to end, by its owner only, however often."""

import pytest

from jobs.runs import lease
from jobs.runs.backend import Backend
from jobs.runs.run import Run, State
from tests.support.people import claimed, make_run, owner_id, read
from tests.support.visitor import Visitor, soup, the


@pytest.fixture
def held(backend: Backend, ada: Visitor) -> Run:
    """A run of Ada's that a worker executes."""
    return claimed(backend, make_run(backend, owner_id(backend, ada.email)))


@pytest.mark.parametrize(("path", "view"), [("/runs", "row"), ("/runs/{}", "full")])
def test_a_running_run_has_a_stop_button_that_names_it(ada: Visitor, held: Run, path: str, view: str) -> None:
    form = the(soup(ada.get(path.format(held.id))), f"form[action='/runs/{held.id}/cancel']")
    assert the(form, "button").text == f"Stop run {held.id}"
    assert (form["hx-target"], the(form, "[name=view]")["value"]) == (f"#run-{held.id}", view)


@pytest.mark.parametrize(("view", "root"), [("row", "li"), ("full", "article")])
def test_the_answer_says_stopping_in_place_of_the_button(ada: Visitor, held: Run, view: str, root: str) -> None:
    run = the(soup(ada.post(f"/runs/{held.id}/cancel", {"view": view}, HX_Request="true")), f"{root}#run-{held.id}")
    assert run["data-state"] == "running"
    assert the(run, ".run__stopping").text == "Stopping…"
    assert run.select_one("form[action$=cancel]") is None


def test_five_clicks_do_what_one_does(ada: Visitor, held: Run, backend: Backend) -> None:
    answers = [ada.post(f"/runs/{held.id}/cancel", HX_Request="true") for _ in range(5)]
    assert {answer.status_code for answer in answers} == {200}
    assert read(backend, held).version == held.version + 1


def test_stopping_a_run_that_has_just_ended_is_not_an_error(ada: Visitor, held: Run, backend: Backend) -> None:
    ada.post(f"/runs/{held.id}/cancel")
    lease.stop(backend.database, held)
    answer = ada.post(f"/runs/{held.id}/cancel", HX_Request="true")
    assert answer.status_code == 200
    assert the(soup(answer), f"#run-{held.id}")["data-state"] == "cancelled"


def test_without_javascript_the_form_leads_back_to_the_run(ada: Visitor, held: Run) -> None:
    answer = ada.post(f"/runs/{held.id}/cancel", {"view": "row"})
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/runs/{held.id}")
    page = soup(ada.get(f"/runs/{held.id}"))
    assert "Stopping…" in the(page, ".run-full__actions").text
    assert page.select_one("noscript meta[http-equiv=refresh]") is not None, "it looks again until the run has ended"


def test_nobody_else_can_stop_it(ben: Visitor, held: Run, backend: Backend) -> None:
    for answer in (ben.post(f"/runs/{held.id}/cancel"), ben.post(f"/runs/{held.id}/cancel", HX_Request="true")):
        assert answer.status_code == 404
    assert (read(backend, held).state, read(backend, held).stopping) == (State.RUNNING, False)
