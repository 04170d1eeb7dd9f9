"""Pictures: what is sent to a page that shows an earlier moment."""

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from flask import Flask

from jobs import Backend, Listing, Run, State, lease, presence, utcnow
from tests.people import make_owner, make_run
from webapp.live.picture import Picture, difference, draw


@pytest.fixture
def owner_id(backend: Backend) -> int:
    return make_owner(backend)


@pytest.fixture(autouse=True)
def _request(app: Flask) -> Iterator[None]:
    with app.test_request_context("/live"):
        yield


def targets(frame: str) -> list[str]:
    return re.findall(r'<hx-partial hx-target="([^"]+)"', frame)


def look(backend: Backend, owner_id: int, earlier: Picture | None = None, run_id: int | None = None) -> Picture:
    return draw(backend.database, Listing(owner_id, run_id=run_id), earlier)


def claim(backend: Backend, run: Run) -> Run:
    held = lease.claim(backend.database, run.id, "worker")
    assert held is not None
    return held


def test_a_page_that_shows_nothing_yet_gets_everything(backend: Backend, owner_id: int) -> None:
    make_run(backend, owner_id, state=State.CANCELLED)
    waiting = make_run(backend, owner_id)
    assert targets(difference(None, look(backend, owner_id))) == ["#runs", f"#run-{waiting.id}-outlook"]
    own = look(backend, owner_id, run_id=waiting.id)
    assert targets(difference(None, own)) == [f"#run-{waiting.id}", f"#run-{waiting.id}-outlook"]


def test_what_has_not_changed_is_neither_sent_nor_rendered_again(backend: Backend, owner_id: int) -> None:
    run = make_run(backend, owner_id)
    first = look(backend, owner_id)
    second = look(backend, owner_id, first)
    assert difference(first, second) == ""
    assert second.fragments[run.id] is first.fragments[run.id]


def test_a_run_with_a_new_version_is_sent_alone(backend: Backend, owner_id: int) -> None:
    make_run(backend, owner_id)
    run = make_run(backend, owner_id)
    first = look(backend, owner_id)
    claim(backend, run)
    assert targets(difference(first, look(backend, owner_id, first))) == [f"#run-{run.id}"]


def test_an_outlook_that_moved_is_sent_without_its_run(backend: Backend, owner_id: int) -> None:
    other = make_run(backend, make_owner(backend, "other@example.com"), queued_at=utcnow() - timedelta(minutes=1))
    run = make_run(backend, owner_id)
    presence.seen(backend.database, "worker")
    first = look(backend, owner_id)
    claim(backend, other)
    second = look(backend, owner_id, first)
    frame = difference(first, second)
    assert targets(frame) == [f"#run-{run.id}-outlook"]
    assert "Next in line" in frame
    assert "data-version" not in frame, "the page drops a version that it shows already"
    assert difference(second, look(backend, owner_id, second)) == ""


def test_a_page_that_slept_gets_the_run_as_it_is_now(backend: Backend, owner_id: int) -> None:
    run = make_run(backend, owner_id)
    slept = look(backend, owner_id)
    lease.note_push(backend.database, run.id, 1, failed=True)
    lease.note_push(backend.database, run.id, 1, failed=False)
    between = look(backend, owner_id, slept)
    presence.seen(backend.database, "worker")
    frame = difference(slept, look(backend, owner_id, between))
    assert targets(frame) == [f"#run-{run.id}"]
    assert "Next in line" in frame


def test_a_list_that_gained_a_run_is_sent_whole_with_its_outlooks(backend: Backend, owner_id: int) -> None:
    run = make_run(backend, owner_id)
    first = look(backend, owner_id)
    new = make_run(backend, owner_id)
    frame = difference(first, look(backend, owner_id, first))
    assert targets(frame) == ["#runs", f"#run-{new.id}-outlook", f"#run-{run.id}-outlook"]


def test_a_stop_and_an_end_are_announced_once_each(backend: Backend, owner_id: int) -> None:
    held = claim(backend, make_run(backend, owner_id))
    running = look(backend, owner_id)
    lease.request_stop(backend.database, held.id, owner_id)
    stopping = look(backend, owner_id, running)
    assert f"run {held.id}: stopping." in difference(running, stopping)
    lease.report(backend.database, held, 0.5, "tidying up")
    tidying = look(backend, owner_id, stopping)
    assert targets(difference(stopping, tidying)) == [f"#run-{held.id}"]
    lease.stop(backend.database, held)
    assert f"run {held.id}: cancelled." in difference(tidying, look(backend, owner_id, tidying))
