"""Snapshots: what is sent to a page that shows an earlier moment."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from sqlalchemy import delete, update

from jobs.runs import delete_run, heartbeats, lease
from jobs.runs.backend import Backend
from jobs.runs.run import Run, State
from jobs.storage.database import utcnow
from tests.support.people import claimed, make_owner, make_run
from webapp.live.snapshot import ClientState, Snapshot, client_state_from, difference, take_snapshot
from webapp.rendering.listings import Listing

FAILED: dict[str, Any] = {"state": State.FAILED, "error_kind": "RuntimeError", "error_message": "no"}


@pytest.fixture
def owner_id(backend: Backend) -> int:
    return make_owner(backend)


@pytest.fixture(autouse=True)
def _request(app: Flask) -> Iterator[None]:
    with app.test_request_context("/live"):
        yield


def targets(frame: str) -> list[str]:
    return re.findall(r'<hx-partial hx-target="([^"]+)"', frame)


def look(backend: Backend, owner_id: int, earlier: Snapshot | None = None, run_id: int | None = None) -> Snapshot:
    return take_snapshot(backend.database, Listing(owner_id, run_id=run_id), earlier)


def test_a_page_that_shows_nothing_yet_gets_everything(backend: Backend, owner_id: int) -> None:
    make_run(backend, owner_id, state=State.CANCELLED)
    waiting = make_run(backend, owner_id)
    assert targets(difference(None, look(backend, owner_id))) == ["#runs", f"#run-{waiting.id}-wait_estimate"]
    own = look(backend, owner_id, run_id=waiting.id)
    assert targets(difference(None, own)) == [f"#run-{waiting.id}"]


def test_what_has_not_changed_is_neither_sent_nor_rendered_again(backend: Backend, owner_id: int) -> None:
    run = make_run(backend, owner_id)
    first = look(backend, owner_id)
    second = look(backend, owner_id, first)
    assert difference(first.shown, second) == ""
    assert second.fragments[run.id] is first.fragments[run.id]


def test_a_run_with_a_new_version_is_sent_alone(backend: Backend, owner_id: int) -> None:
    make_run(backend, owner_id)
    run = make_run(backend, owner_id)
    first = look(backend, owner_id)
    claimed(backend, run)
    assert targets(difference(first.shown, look(backend, owner_id, first))) == [f"#run-{run.id}"]


def test_a_wait_estimate_that_moved_is_sent_without_its_run(backend: Backend, owner_id: int) -> None:
    other = make_run(backend, make_owner(backend, "other@example.com"), queued_at=utcnow() - timedelta(minutes=1))
    run = make_run(backend, owner_id)
    heartbeats.seen(backend.database, "worker")
    first = look(backend, owner_id)
    claimed(backend, other)
    second = look(backend, owner_id, first)
    frame = difference(first.shown, second)
    assert targets(frame) == [f"#run-{run.id}-wait_estimate"]
    assert "Next in line" in frame
    assert "data-version" not in frame, "the page drops a version that it shows already"
    assert difference(second.shown, look(backend, owner_id, second)) == ""


def test_wait_estimates_stay_while_they_may_not_move(backend: Backend, owner_id: int) -> None:
    other = make_run(backend, make_owner(backend, "other@example.com"))
    run = make_run(backend, owner_id)
    heartbeats.seen(backend.database, "worker")
    first = look(backend, owner_id)
    claimed(backend, other)
    late = make_run(backend, owner_id)
    held = take_snapshot(backend.database, Listing(owner_id), first, move=False)
    assert held.page.wait_estimates[run.id] is first.page.wait_estimates[run.id]
    assert held.page.wait_estimates[late.id].position == 2, "one that is new has its own"
    claimed(backend, run)
    ended = take_snapshot(backend.database, Listing(owner_id), held, move=False)
    assert set(ended.page.wait_estimates) == {late.id}


def test_a_page_that_slept_gets_the_run_as_it_is_now(backend: Backend, owner_id: int) -> None:
    run = make_run(backend, owner_id)
    slept = look(backend, owner_id)
    lease.note_push(backend.database, run.id, 1, failed=True)
    lease.note_push(backend.database, run.id, 1, failed=False)
    between = look(backend, owner_id, slept)
    heartbeats.seen(backend.database, "worker")
    frame = difference(slept.shown, look(backend, owner_id, between))
    assert targets(frame) == [f"#run-{run.id}"]
    assert "Next in line" in frame


def rows(frame: str) -> dict[str, bool]:
    """The rows of a list that is sent, in their order, and whether each comes with its content."""
    return {str(row["id"]): "data-kept" not in row.attrs for row in BeautifulSoup(frame, "html.parser").select("li")}


def test_of_a_list_that_gained_a_run_only_the_new_one_is_sent(backend: Backend, owner_id: int) -> None:
    run = make_run(backend, owner_id)
    first = look(backend, owner_id)
    new = make_run(backend, owner_id)
    frame = difference(first.shown, look(backend, owner_id, first))
    assert targets(frame) == ["#runs", f"#run-{new.id}-wait_estimate"]
    assert rows(frame) == {f"run-{new.id}": True, f"run-{run.id}": False}


def test_a_page_that_comes_back_gets_only_what_has_changed_since(backend: Backend, owner_id: int) -> None:
    old, changed = (make_run(backend, owner_id, state=State.SUCCEEDED) for _ in range(2))
    page = client_state_from({"shown": f"{changed.id}.1,{old.id}.1"})
    assert difference(page, look(backend, owner_id)) == ""
    lease.requeue(backend.database, changed.id, owner_id)
    make_run(backend, owner_id, **FAILED)
    assert targets(difference(page, look(backend, owner_id))) == ["#runs", "#announcer"]
    with backend.database.write() as session:
        session.execute(update(Run).where(Run.id == changed.id).values(state=State.SUCCEEDED, version=2))
        session.execute(delete(Run).where(Run.id > changed.id))
    frame = difference(page, look(backend, owner_id))
    assert targets(frame) == [f"#run-{changed.id}", "#announcer"]
    assert f"run {changed.id}: succeeded." in frame, "it ended while nobody looked"


def test_a_row_that_matches_no_more_leaves_and_the_end_of_the_list_is_right(backend: Backend, owner_id: int) -> None:
    runs = [make_run(backend, owner_id, **FAILED) for _ in range(3)]
    failed = Listing(owner_id, state=State.FAILED, limit=2)
    first = take_snapshot(backend.database, failed, None)
    lease.requeue(backend.database, runs[2].id, owner_id)
    frame = difference(first.shown, take_snapshot(backend.database, failed, first))
    assert rows(frame) == {f"run-{runs[1].id}": False, f"run-{runs[0].id}": True}
    assert "Older runs" not in frame


@pytest.mark.parametrize("said", ["", "1", "1.2.3", "x.y", "-1.2", "1.²", "1.1,,2"])
def test_a_page_that_says_what_cannot_be_understood_gets_everything(said: str) -> None:
    shown = client_state_from({"shown": said})
    assert shown == (ClientState({}, more=False) if said == "" else None)


def test_a_stop_and_an_end_are_announced_once_each(backend: Backend, owner_id: int) -> None:
    held = claimed(backend, make_run(backend, owner_id))
    running = look(backend, owner_id)
    lease.request_stop(backend.database, held.id, owner_id)
    stopping = look(backend, owner_id, running)
    assert f"run {held.id}: stopping." in difference(running.shown, stopping)
    lease.report(backend.database, held, 0.5, "tidying up")
    tidying = look(backend, owner_id, stopping)
    assert targets(difference(stopping.shown, tidying)) == [f"#run-{held.id}"]
    lease.stop(backend.database, held)
    assert f"run {held.id}: cancelled." in difference(tidying.shown, look(backend, owner_id, tidying))


def test_the_page_of_a_run_that_was_deleted_says_so_once(backend: Backend, owner_id: int) -> None:
    run = make_run(backend, owner_id, state=State.FAILED)
    listing = Listing(owner_id, run_id=run.id)
    before = take_snapshot(backend.database, listing, None)
    delete_run(backend, owner_id, run.id)
    now = take_snapshot(backend.database, listing, before)
    assert "This run has been deleted." in difference(before.shown, now)
    assert difference(now.shown, now) == ""
