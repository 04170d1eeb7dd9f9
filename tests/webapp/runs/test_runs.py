"""Runs: history, one run, cancel, run again; each for its owner only."""

from typing import Any

import pytest
from sqlalchemy import text

from jobs.runs import Selection, lease, used_bytes, versions
from jobs.runs.backend import Backend
from jobs.runs.queue import push, take_next, taken
from jobs.runs.run import Run, State
from jobs.storage.database import utcnow
from jobs.values.outcome import Failure
from tests.support.people import claimed, execute, make_run, note_file, owner_id, read
from tests.support.visitor import Visitor, soup, the
from webapp.rendering.listings import PAGE_SIZE


def ids(visitor: Visitor, path: str) -> list[int]:
    return [int(str(row["id"]).removeprefix("run-")) for row in soup(visitor.get(path)).select(".run")]


@pytest.fixture
def ada_id(backend: Backend, ada: Visitor) -> int:
    return owner_id(backend, ada.email)


def test_an_empty_history_says_what_to_do(ada: Visitor) -> None:
    assert "Choose a task" in the(soup(ada.get("/runs")), ".empty").text


def test_history_is_newest_first_and_paged_by_place(ada: Visitor, ada_id: int, backend: Backend) -> None:
    runs = [make_run(backend, ada_id).id for _ in range(2 * PAGE_SIZE + 3)]
    newest_first = runs[::-1]
    assert ids(ada, "/runs") == newest_first[:PAGE_SIZE]
    older = soup(ada.get("/runs")).select_one("a[rel=next]")
    assert older is not None
    make_run(backend, ada_id)  # a new run does not shift what the next page shows
    assert ids(ada, str(older["href"])) == newest_first[PAGE_SIZE : 2 * PAGE_SIZE]
    last = soup(ada.get(str(older["href"]))).select_one("a[rel=next]")
    assert last is not None
    assert ids(ada, str(last["href"])) == newest_first[2 * PAGE_SIZE :]
    assert soup(ada.get(str(last["href"]))).select_one("a[rel=next]") is None


def test_history_is_filtered_by_task_and_state(ada: Visitor, ada_id: int, backend: Backend) -> None:
    one = make_run(backend, ada_id, "reverse_text").id
    two = make_run(backend, ada_id, "factorise", parameters={"number": 4}).id
    three = make_run(backend, ada_id, "factorise", parameters={"number": 4}, state=State.CANCELLED).id
    assert ids(ada, "/runs?task=factorise") == [three, two]
    assert ids(ada, "/runs?state=queued") == [two, one]
    assert ids(ada, "/runs?task=factorise&state=cancelled") == [three]
    assert ids(ada, "/runs?task=&state=") == [three, two, one]


@pytest.mark.parametrize("query", ["before=x", "before=-1", "before=9" + "9" * 40, "state=lost", "before=٣"])
def test_a_meaningless_filter_is_left_out(ada: Visitor, ada_id: int, backend: Backend, query: str) -> None:
    run = make_run(backend, ada_id)
    assert ids(ada, f"/runs?{query}") == [run.id]


def test_a_run_with_a_number_of_more_than_32_bits_is_like_any_other(
    ada: Visitor, ada_id: int, backend: Backend
) -> None:
    before, large = make_run(backend, ada_id, state=State.FAILED), make_run(backend, ada_id, id=2**40)
    push(backend.queue, (large.id, 1))
    take_next(backend.queue, backend.redis)
    assert taken(backend.queue) == {f"run-{2**40}-1": 2**40}
    note_file(backend, large.id, b"text", "text/plain")
    execute(backend, large.id)
    assert "olleh" in ada.get(f"/runs/{2**40}").text
    assert ids(ada, "/runs") == [2**40, before.id]
    assert ids(ada, f"/runs?before={2**40}") == [before.id]
    assert ada.get(f"/runs/{2**63 - 1}").status_code == ada.get(f"/runs/{2**63}").status_code == 404
    with backend.database.read() as session:
        assert versions(session, [Selection(ada_id, limit=1)]) == [[(2**40, 3)]]
    if backend.database.engine.dialect.name == "postgresql":
        with backend.database.change() as connection:
            connection.execute(text(f"ALTER SEQUENCE runs_id_seq RESTART WITH {2**40 + 1}"))
    assert ada.submit("reverse_text", text="next") == 2**40 + 1


def test_users_see_their_own_runs_only(ada: Visitor, ben: Visitor) -> None:
    run_id = ada.submit("reverse_text", text="a hidden text")
    assert ids(ben, "/runs") == []
    assert ids(ben, f"/runs?run={run_id}") == []
    for response in (ben.get(f"/runs/{run_id}"), ben.post(f"/runs/{run_id}/cancel"), ben.post(f"/runs/{run_id}/retry")):
        assert response.status_code == 404
        assert "a hidden text" not in response.text


def test_an_impossible_number_is_not_found(ada: Visitor) -> None:
    assert ada.get("/runs/99999999999999999999").status_code == 404


def test_a_waiting_run_is_cancelled(ada: Visitor, backend: Backend) -> None:
    run_id = ada.submit("reverse_text", text="hello")
    response = ada.post(f"/runs/{run_id}/cancel", {"view": "row"}, HX_Request="true")
    assert the(soup(response), f"li#run-{run_id}")["data-state"] == "cancelled"
    assert read(backend, Run(id=run_id)).state is State.CANCELLED


def test_cancelling_what_has_ended_is_refused_with_words(ada: Visitor, backend: Backend) -> None:
    run_id = ada.submit("reverse_text", text="hello")
    execute(backend, run_id)
    response = ada.post(f"/runs/{run_id}/cancel", HX_Request="true")
    assert response.status_code == 409
    (notice,) = soup(response).select("hx-partial[hx-target='#notices']")
    assert "already ended" in notice.text


def test_a_succeeded_run_shows_its_result_and_runs_again_as_a_new_one(ada: Visitor, backend: Backend) -> None:
    run_id = ada.submit("reverse_text", text="hello")
    execute(backend, run_id)
    page = soup(ada.get(f"/runs/{run_id}"))
    assert the(page, ".result").text == "olleh"
    assert page.select_one("noscript meta") is None
    again = ada.post(f"/runs/{run_id}/retry")
    assert again.headers["Location"] == f"/runs/{run_id + 1}"
    assert read(backend, Run(id=run_id)).result == "olleh"


def test_a_failed_run_shows_why_and_runs_again_as_its_next_attempt(ada: Visitor, ada_id: int, backend: Backend) -> None:
    run = make_run(backend, ada_id)
    lease.fail(backend.database, claimed(backend, run), Failure("OvenError", "the oven is cold", "Traceback: line 3"))
    page = ada.get(f"/runs/{run.id}").text
    assert all(words in page for words in ("OvenError", "the oven is cold", "Traceback: line 3"))
    assert ada.post(f"/runs/{run.id}/retry").headers["Location"] == f"/runs/{run.id}"
    assert "Attempt 2" in ada.get(f"/runs/{run.id}").text


def test_without_javascript_an_unfinished_page_looks_again(ada: Visitor) -> None:
    run_id = ada.submit("reverse_text", text="hello")
    for path in ("/", "/runs", f"/runs/{run_id}"):
        assert soup(ada.get(path)).select_one("noscript meta[http-equiv=refresh]") is not None


def test_what_a_task_says_itself_of_its_failure_stands_alone(ada: Visitor, ada_id: int, backend: Backend) -> None:
    values = {"error_kind": "FinalFailure", "error_message": "table.csv is empty.", "error_traceback": "line 3"}
    run = make_run(backend, ada_id, "gone", state=State.FAILED, **values)
    assert the(soup(ada.get(f"/runs/{run.id}")), ".run__error").text == "table.csv is empty."


@pytest.mark.parametrize(
    ("result", "selector", "shown"),
    [
        (42, ".result--scalar", "42"),
        (True, ".result--scalar", "yes"),
        (None, ".result--scalar", "nothing"),
        ("a\nb", "pre", "a\nb"),
        ("", ".run__note", "Empty text"),
        ([], ".run__note", "Empty list"),
        ({"first_name": "Ada"}, "dd", "Ada"),
        (["x", "y"], "li", "x"),
    ],
)
def test_a_result_is_shown_by_its_type(
    ada: Visitor, ada_id: int, backend: Backend, result: Any, selector: str, shown: str
) -> None:
    values = {"state": State.SUCCEEDED, "result": result, "started_at": utcnow(), "ended_at": utcnow()}
    run = make_run(backend, ada_id, "gone", **values)
    body = soup(ada.get(f"/runs/{run.id}")).select_one(".run-full__body")
    assert body is not None
    assert the(body, selector).text == shown


def test_a_task_may_bring_its_own_result_template(ada: Visitor, backend: Backend) -> None:
    run_id = ada.submit("factorise", number="360")
    execute(backend, run_id)
    equation = soup(ada.get(f"/runs/{run_id}")).select_one(".result--equation")
    assert equation is not None
    assert equation.text == "2 × 2 × 2 × 3 × 3 × 5"


def test_parameters_may_be_called_anything(ada: Visitor, ada_id: int, backend: Backend) -> None:
    run = make_run(backend, ada_id, parameters={"name": "x", "endpoint": "y", "run": "z", "text": "ж" * 1000})
    link = the(soup(ada.get(f"/runs/{run.id}")), ".run-full__actions a[href*='?run=']")["href"]
    assert link == f"/tasks/reverse_text?run={run.id}"
    assert the(soup(ada.get(str(link))), "#text-input").text.strip() == "ж" * 1000


def test_a_run_that_has_ended_is_deleted_with_all_that_is_its(ada: Visitor, ada_id: int, backend: Backend) -> None:
    run, other = (make_run(backend, ada_id, state=State.SUCCEEDED) for _ in range(2))
    note_file(backend, run.id, b"x" * 1000, "text/plain")
    form = the(soup(ada.get(f"/runs/{run.id}")), ".delete form")
    response = ada.post(str(form["action"]))
    assert (response.status_code, response.headers["Location"]) == (303, "/runs")
    assert ids(ada, "/runs") == [other.id]
    assert ada.get(f"/runs/{run.id}").status_code == 404
    with backend.database.read() as session:
        assert used_bytes(session, ada_id) == 0


@pytest.mark.parametrize("state", [State.QUEUED, State.RUNNING])
def test_a_run_that_has_not_ended_is_not_deleted(ada: Visitor, ada_id: int, backend: Backend, state: State) -> None:
    run = make_run(backend, ada_id)
    if state is State.RUNNING:
        claimed(backend, run)
    assert ada.post(f"/runs/{run.id}/delete").status_code == 409
    assert not soup(ada.get(f"/runs/{run.id}")).select(".delete")


def test_nobody_deletes_the_run_of_another(ada: Visitor, ben: Visitor, ada_id: int, backend: Backend) -> None:
    run = make_run(backend, ada_id, state=State.FAILED)
    assert ben.post(f"/runs/{run.id}/delete").status_code == 404
    assert ids(ada, "/runs") == [run.id]
