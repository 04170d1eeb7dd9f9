"""Actions on many runs: by the history's filters or chosen one by one, executed by the sweeper in pieces."""

from collections.abc import Mapping
from typing import Any

import pytest
from sqlalchemy import select, update

from jobs.runs import Annotations, annotate, audit, bulk, bulk_pieces, caps, run_text
from jobs.runs.backend import Backend
from jobs.runs.people import Person
from jobs.runs.run import Run, State
from jobs.runs.run_text import Indexing
from jobs.storage.database import utcnow
from tests.support.people import claimed, make_run, owner_id, run_of
from tests.support.visitor import Visitor, soup, the
from tests.webapp.runs.test_runs import ids


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk_pieces, "PIECES", dict.fromkeys(bulk.Action, 2) | {bulk.Action.RETRY: 1})
    monkeypatch.setattr(bulk_pieces, "TURN_SECONDS", 30.0)


@pytest.fixture
def me(backend: Backend, ada: Visitor) -> int:
    return owner_id(backend, ada.email)


def previewed(visitor: Visitor, action: str, filters: Mapping[str, Any]) -> dict[str, Any]:
    """The form of the preview, as a browser would send it."""
    page = soup(visitor.get("/runs/bulk", query_string={**filters, "action": action}))
    sent: dict[str, Any] = {"action": action}
    for field in page.select("form.card input[type=hidden]"):
        sent.setdefault(str(field["name"]), []).append(str(field["value"]))
    return sent


def begun(visitor: Visitor, action: str, filters: Mapping[str, Any], **more: str) -> str:
    response = visitor.post("/runs/bulk", {**previewed(visitor, action, filters), **more})
    assert response.status_code == 303, response.text
    return response.headers["Location"]


def finish(backend: Backend) -> None:
    """Run the sweeper until nothing is due."""
    bulk_pieces.turn(backend)


def ended(backend: Backend, owner: int, task: str = "reverse_text", state: State = State.FAILED) -> int:
    return make_run(backend, owner, task, state=state, ended_at=utcnow(), error_message="no").id


def all_ids(backend: Backend, owner: int) -> list[int]:
    with backend.database.read() as session:
        return list(session.scalars(select(Run.id).where(Run.owner_id == owner).order_by(Run.id)))


def test_what_a_search_finds_is_all_that_an_action_is_about(ada: Visitor, me: int, backend: Backend) -> None:
    runs = [ended(backend, me) for _ in range(3)]
    with backend.database.write() as session:
        run_text.index(session, runs, are_new=True)
    annotate(backend, me, runs[1], Annotations(name="march"))
    Indexing(backend.database).sweep()
    form = the(soup(ada.get("/runs?q=march")), "#bulk")
    sent = {str(field["name"]): str(field["value"]) for field in form.select("input[type=hidden]")}
    begun(ada, "delete", sent)
    finish(backend)
    assert all_ids(backend, me) == [runs[0], runs[2]]


def test_runs_that_fit_are_deleted_and_later_ones_left(ada: Visitor, ben: Visitor, me: int, backend: Backend) -> None:
    theirs = ended(backend, owner_id(backend, ben.email))
    runs = [ended(backend, me) for _ in range(13)]
    others = [ended(backend, me, "factorise"), make_run(backend, me).id]
    page = soup(ada.get("/runs/bulk?action=delete&task=reverse_text&state=failed"))
    assert the(page, "h1").text == "Delete 13 runs?"
    assert len(page.select(".accounts__one")) == 10
    sent = previewed(ada, "delete", {"task": "reverse_text", "state": "failed"})
    later = ended(backend, me)
    place = ada.post("/runs/bulk", sent).headers["Location"]
    assert "0 of about 14 runs done" in ada.get(place).text
    assert all_ids(backend, me) == [*runs, *others, later], "nothing happens in the request"
    finish(backend)
    assert all_ids(backend, me) == [*others, later]
    assert run_of(backend, theirs).owner_id != me
    assert "13 of about 14 runs done" in ada.get(place).text
    assert "Nothing is left to do." in ada.get(place, headers={"HX-Request": "true"}).text
    assert [entry.after for entry in audit.listed(backend.database, verb="bulk action ended")] == [
        {"runs": 13, "left alone": 0, "aborted": False}
    ]
    assert ben.get(place).status_code == ben.post(f"{place}/abort").status_code == 404


def test_chosen_runs_are_deleted_and_what_has_not_ended_is_left_alone(ada: Visitor, me: int, backend: Backend) -> None:
    one, two, three = (ended(backend, me) for _ in range(3))
    waiting = make_run(backend, me).id
    row = the(soup(ada.get("/runs")), f"#run-{two} input[name=run]")
    assert (row["form"], row["value"]) == ("bulk", str(two))
    place = begun(ada, "delete", {"run": [str(one), str(three), str(waiting), "9999", "x"], "state": "failed"})
    finish(backend)
    assert all_ids(backend, me) == [two, waiting]
    assert "2 of about 3 runs done, 1 left alone." in ada.get(place).text


def test_runs_are_tagged_and_repeating_it_changes_nothing(ada: Visitor, me: int, backend: Backend) -> None:
    runs = [ended(backend, me) for _ in range(3)]
    ada.post(f"/runs/{runs[0]}/about", {"tags": "board"})
    for _ in range(2):
        begun(ada, "tag", {"state": "failed"}, new_tag="#Quarter")
        finish(backend)
    assert [run_of(backend, one).tags for one in runs] == [["board", "quarter"], ["quarter"], ["quarter"]]
    assert run_of(backend, runs[1]).version == 2
    assert ids(ada, "/runs?tag=quarter") == runs[::-1]
    for tag, words in (("", "Enter the tag"), ("a b", "one word"), ("x" * 41, "at most 40")):
        response = ada.post("/runs/bulk", {**previewed(ada, "tag", {}), "new_tag": tag})
        assert response.status_code == 422
        assert words in the(soup(response), "#new_tag-error").text


def test_runs_are_cancelled_and_running_ones_stopped(ada: Visitor, me: int, backend: Backend) -> None:
    waiting, over = make_run(backend, me), ended(backend, me)
    running = make_run(backend, me)
    claimed(backend, running)
    begun(ada, "cancel", {})
    finish(backend)
    assert run_of(backend, waiting.id).state is State.CANCELLED
    assert run_of(backend, running.id).stopping
    assert run_of(backend, over).state is State.FAILED


def test_runs_run_again_once_and_wait_while_their_owner_has_too_many(ada: Visitor, me: int, backend: Backend) -> None:
    caps.set_caps(backend.database, me, dict.fromkeys(caps.NAMES) | {"queued_runs": 1})
    failed, succeeded = ended(backend, me), ended(backend, me, state=State.SUCCEEDED)
    place = begun(ada, "retry", {})
    finish(backend)
    assert "1 of about 2 runs done" in ada.get(place).text
    new = succeeded + 1
    assert run_of(backend, new).state is State.QUEUED
    assert run_of(backend, failed).state is State.FAILED, "one waits, and no more may"
    ada.post(f"/runs/{new}/cancel")
    with backend.database.write() as session:
        session.execute(update(bulk.BulkAction).values(due_at=utcnow()))
    finish(backend)
    assert run_of(backend, failed).state is State.QUEUED
    assert all_ids(backend, me) == [failed, succeeded, new]


def test_an_action_ends_when_it_is_aborted_or_its_owner_may_not_any_more(
    ada: Visitor, me: int, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [ended(backend, me) for _ in range(5)]
    monkeypatch.setattr(bulk_pieces, "TURN_SECONDS", -1.0)  # one piece in each turn
    place = begun(ada, "delete", {})
    bulk_pieces.turn(backend)
    assert all_ids(backend, me) == runs[:3]
    assert ada.post(f"{place}/abort").status_code == ada.post(f"{place}/abort").status_code == 303
    bulk_pieces.turn(backend)
    assert all_ids(backend, me) == runs[:3]
    assert "Ended before all were done." in ada.get(place).text
    begun(ada, "delete", {})
    with backend.database.write() as session:
        session.execute(update(Person).values(is_active=False))
    bulk_pieces.turn(backend)
    assert all_ids(backend, me) == runs[:3]
    assert [one.after["aborted"] for one in audit.listed(backend.database, verb="bulk action ended")] == [True, True]


def test_nonsense_is_refused_and_nobody_has_too_many_actions(ada: Visitor, me: int, backend: Backend) -> None:
    assert ada.get("/runs/bulk").status_code == ada.post("/runs/bulk", {"action": "burn"}).status_code == 400
    assert ada.post("/runs/bulk", {"action": "delete", "below": "x"}).status_code == 400
    assert "No runs fit" in ada.get("/runs/bulk?action=delete&task=%00&state=lost&tag=%00&starred=yes").text
    ended(backend, me)
    for _ in range(bulk.MOST_GOING_ON):
        begun(ada, "cancel", {})
    response = ada.post("/runs/bulk", previewed(ada, "cancel", {}))
    assert response.status_code == 409
    assert "actions on many runs going on" in response.text
