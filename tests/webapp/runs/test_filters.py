"""Descriptions of runs on pages: attempts, lost workers, the queue, and cancellations."""

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from flask import Flask

from jobs import task
from jobs.runs import lease
from jobs.runs.backend import Backend, open_backend
from jobs.runs.run import Run, State
from jobs.storage.database import utcnow
from jobs.values.outcome import Failure
from tests.support.people import claimed, make_run, owner_id
from tests.support.serving import catalog_of
from tests.support.visitor import Visitor, soup, the
from webapp import create_app
from webapp.runs.filters import roughly, size

COLD = Failure("OvenError", "the oven is cold", "Traceback: line 3")


@task(title="Bake", retries=3)
def bake(dish: str = "bread") -> str:
    """Bake something."""
    return dish


@task
def boil(dish: str = "egg") -> str:
    """Boil something."""
    return dish


TASKS = catalog_of(bake, boil)


@pytest.fixture
def app(backend: Backend) -> Iterator[Flask]:
    opened = open_backend(backend.settings, TASKS)
    yield create_app(opened)
    opened.database.engine.dispose()


@pytest.fixture
def ada_id(backend: Backend, ada: Visitor) -> int:
    return owner_id(backend, ada.email)


def texts(visitor: Visitor, run: Run) -> tuple[str, str]:
    """Return the texts of a run in a list and on its own page."""
    row = the(soup(visitor.get("/runs")), f"#run-{run.id}")
    full = the(soup(visitor.get(f"/runs/{run.id}")), f"#run-{run.id}")
    return " ".join(row.text.split()), " ".join(full.text.split())


def wait_estimate(visitor: Visitor, run: Run) -> str:
    """The words on what a run waits for, which a list and the run's own page must share."""
    row, full = (
        the(soup(visitor.get(path)), f"#run-{run.id} #run-{run.id}-wait_estimate").text
        for path in ("/runs", f"/runs/{run.id}")
    )
    assert row == full
    return row


def test_a_run_that_waits_for_its_retry_says_when_and_why(ada: Visitor, ada_id: int, backend: Backend) -> None:
    run = make_run(backend, ada_id, "bake")
    lease.postpone(backend.database, claimed(backend, run), COLD, seconds=1000)
    assert re.fullmatch(r"Attempt 2 of 4, next at \d\d:\d\d:\d\d UTC", wait_estimate(ada, run))
    for path in ("/runs", f"/runs/{run.id}"):
        page = soup(ada.get(path))
        time = the(page, f"#run-{run.id}-wait_estimate time[data-until]")
        assert str(time["datetime"]).endswith("+00:00")
        assert "the oven is cold" in the(page, f"#run-{run.id}").text
        assert the(page, "form[action$=cancel] button").text == f"Cancel run {run.id}"
    assert texts(ada, run)[1].count("Attempt 2") == 1


def test_a_run_that_is_tried_again_says_which_attempt_it_is(ada: Visitor, ada_id: int, backend: Backend) -> None:
    run = make_run(backend, ada_id, "bake")
    held = claimed(backend, run)
    assert all("Attempt" not in text for text in texts(ada, run))
    lease.postpone(backend.database, held, COLD, seconds=0)
    held = claimed(backend, run)
    assert all("Attempt 2 of 4" in text and "cold" not in text for text in texts(ada, run))
    lease.fail(backend.database, held, COLD)
    assert "Attempt 2 of 4" in texts(ada, run)[1]


def test_a_task_without_retries_counts_what_its_owner_asked_for(ada: Visitor, ada_id: int, backend: Backend) -> None:
    run = make_run(backend, ada_id, "boil")
    lease.fail(backend.database, claimed(backend, run), COLD)
    lease.requeue(backend.database, run.id, ada_id)
    assert "Attempt 2 " in texts(ada, run)[1]
    assert "Attempt 2 of" not in texts(ada, run)[1]


def test_a_run_whose_worker_was_lost_says_so_on_its_own_page(ada: Visitor, ada_id: int, backend: Backend) -> None:
    run = make_run(backend, ada_id, "boil")
    claimed(backend, run)
    lease.lose(backend.database, "worker")
    assert "Worker lost; restarts automatically" in texts(ada, run)[1]
    claimed(backend, run)
    row, full = texts(ada, run)
    assert "Worker lost; restarted" in full
    assert "lost" not in row
    lease.lose(backend.database, "worker")
    claimed(backend, run)
    assert "Worker lost 2 times; restarted" in texts(ada, run)[1]
    lease.lose(backend.database, "worker")
    assert texts(ada, run)[1].lower().count("worker was lost") == 1, "the failure says it already"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "Cancelled before it started"),
        ({"attempt": 2, "failures": 1}, "Cancelled before it started again"),
        ({"started_at": utcnow() - timedelta(seconds=3.2), "ended_at": utcnow()}, "Stopped after 3.2 s"),
    ],
)
def test_a_cancelled_run_says_how_far_it_came(
    ada: Visitor, ada_id: int, backend: Backend, values: dict[str, object], words: str
) -> None:
    run = make_run(backend, ada_id, "bake", state=State.CANCELLED, **values)
    for path in ("/runs", f"/runs/{run.id}"):
        assert the(soup(ada.get(path)), f"#run-{run.id} .run__note").text == words


def test_the_answer_to_a_form_says_what_to_expect(ada: Visitor) -> None:
    (run,) = soup(ada.post("/tasks/bake", {"dish": "bread"}, HX_Request="true")).select(".run")
    assert (
        the(run, f"#{run['id']}-wait_estimate").text
        == "No worker is running. The run will start when one is available."
    )


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "1 s"), (59.4, "59 s"), (59.6, "1 min"), (100, "2 min"), (3590, "1 h"), (7300, "2 h")]
)
def test_an_estimated_time_has_one_unit(seconds: float, words: str) -> None:
    assert roughly(seconds) == words


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1000, "1 kB"),
        (2540, "2.5 kB"),
        (12_300, "12 kB"),
        (500 * 10**6, "500 MB"),
        (5 * 10**12, "5,000 GB"),
    ],
)
def test_a_size_is_shown_in_its_largest_unit(count: int, words: str) -> None:
    assert size(count) == words
