"""The title of a run's page: its state, how long it takes and still takes, when, on what, and what can be done."""

from datetime import timedelta
from typing import Any

import pytest

from jobs.runs.backend import Backend
from jobs.runs.run import Run, State
from jobs.runs.usual_duration import usual_seconds
from jobs.storage.database import utcnow
from tests.support.people import make_run, owner_id
from tests.support.visitor import Visitor, soup, the


def file_of(size: int, name: str = "data.csv") -> dict[str, Any]:
    return {"$file": {"sha256": "0" * 64, "size": size, "name": name, "media_type": "text/csv"}}


def succeeded(backend: Backend, owner: int, seconds: float, size: int | None = None) -> Run:
    ended, parameters = utcnow(), {"text": "x", **({"file": file_of(size)} if size is not None else {})}
    times: dict[str, Any] = {"started_at": ended - timedelta(seconds=seconds), "ended_at": ended}
    return make_run(backend, owner, state=State.SUCCEEDED, parameters=parameters, **times)


def running(backend: Backend, owner: int, seconds: float, **values: Any) -> Run:
    started = utcnow() - timedelta(seconds=seconds)
    return make_run(backend, owner, state=State.RUNNING, started_at=started, lease_token="0" * 32, **values)


@pytest.fixture
def ada_id(ada: Visitor, backend: Backend) -> int:
    return owner_id(backend, ada.email)


def test_the_usual_duration_is_that_of_runs_with_files_of_about_this_size(backend: Backend, ada_id: int) -> None:
    for seconds, size in ((10, 1000), (12, 1500), (11, 600), (500, 90_000), (510, 80_000)):
        succeeded(backend, ada_id, seconds, size)
    asked = {size: make_run(backend, ada_id, parameters={"file": file_of(size)}) for size in (1000, 85_000)}
    assert usual_seconds(backend.database, asked[1000]) == pytest.approx(11, abs=0.5)
    assert usual_seconds(backend.database, asked[85_000]) is None, "two runs say little"


def test_nothing_is_usual_where_durations_differ_much(backend: Backend, ada_id: int) -> None:
    for seconds in (1, 2, 40, 90):
        succeeded(backend, ada_id, seconds)
    assert usual_seconds(backend.database, make_run(backend, ada_id)) is None


def test_the_time_left_is_told_from_progress_or_from_earlier_runs(ada: Visitor, backend: Backend, ada_id: int) -> None:
    first = running(backend, ada_id, 30)
    assert the(soup(ada.get(f"/runs/{first.id}")), ".progress__pace").text.strip() == ""
    for _ in range(3):
        succeeded(backend, ada_id, 600)
    cases = {
        running(backend, ada_id, 300, progress=0.5).id: ("about 5 min left", True),
        running(backend, ada_id, 0).id: ("about 10 min left", True),
        running(backend, ada_id, 2000).id: (None, False),
    }
    for run_id, (left, hidden) in cases.items():
        pace = the(soup(ada.get(f"/runs/{run_id}")), ".progress__pace")
        slow = the(pace, "[data-from]")
        assert [one.text for one in pace.select("[data-left]")] == ([left] if left else [])
        assert (slow.text, slow.has_attr("hidden")) == ("slower than usual, which is 10 min", hidden)


def test_its_title_tells_state_time_and_files_and_what_can_be_done(ada: Visitor, backend: Backend, ada_id: int) -> None:
    files = {"table": file_of(9, "orders.csv"), "more": [file_of(9, "b.csv"), file_of(9, "c.csv")]}
    cases = {
        State.QUEUED: ("2 h 5 min", ["Cancel"]),
        State.RUNNING: ("1 h 5 min", ["Stop"]),
        State.SUCCEEDED: ("1 h 5 min", ["Run again"]),
    }
    for state, (time, actions) in cases.items():
        started, ended = utcnow() - timedelta(minutes=65), utcnow() if state.ended else None
        times: dict[str, Any] = {
            "queued_at": utcnow() - timedelta(minutes=125),
            "started_at": started,
            "ended_at": ended,
        }
        run = make_run(backend, ada_id, state=state, parameters=files, lease_token="0" * 32, **times)
        head = the(soup(ada.get(f"/runs/{run.id}")), "article > header")
        line = [part.text.strip() for part in the(head, ".run-full__line").find_all(recursive=False)]
        assert line == [state.capitalize(), time, line[2], "orders.csv and 2 more"]
        buttons = the(head, ".run-full__actions").select("form button, a.button")
        offered = [one.text.removesuffix(f" run {run.id}") for one in buttons]
        assert offered == [*actions, "Edit and run", "Share"]
