"""A form that asks for a run later: tonight, or at a time in its reader's zone."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from jobs.runs.backend import Backend
from jobs.storage.database import utcnow
from tests.support.people import run_of
from tests.support.visitor import Visitor, soup, the

BERLIN = ZoneInfo("Europe/Berlin")
YEAR = utcnow().year + 1


def test_a_form_without_more_runs_now(ada: Visitor, backend: Backend) -> None:
    page = soup(ada.get("/tasks/reverse_text"))
    assert "open" not in the(page, "#task-when").attrs
    assert the(page, "#when-now").has_attr("checked")
    run_id = ada.submit("reverse_text", text="abc", _when="now", _due_at="")
    assert run_of(backend, run_id).scheduled_for is None


def test_tonight_is_the_next_evening_of_the_reader(ada: Visitor, backend: Backend) -> None:
    run_id = ada.submit("reverse_text", text="abc", _when="tonight", _zone="Europe/Berlin")
    run = run_of(backend, run_id)
    assert run.is_scheduled
    assert run.due_at
    assert run.due_at.astimezone(BERLIN).hour == 22
    assert timedelta() < run.due_at - utcnow() <= timedelta(hours=25)


def test_a_time_is_one_of_the_reader_and_its_page_says_so(ada: Visitor, backend: Backend) -> None:
    local = (utcnow() + timedelta(days=60)).replace(hour=22, minute=30, second=0, microsecond=0, tzinfo=BERLIN)
    at = {"_when": "now", "_due_at": f"{local:%Y-%m-%dT%H:%M}", "_zone": "Europe/Berlin"}
    run_id = ada.submit("reverse_text", text="abc", **at)
    expected = local.astimezone(UTC)
    assert run_of(backend, run_id).due_at == expected
    said = f"Scheduled for {expected:%Y-%m-%d %H:%M:%S} UTC"
    for path in ("/runs", f"/runs/{run_id}"):
        words = the(soup(ada.get(path)), f"#run-{run_id}-wait_estimate")
        assert words.text == said
        assert the(words, "time[data-exact]")["datetime"] == expected.isoformat()
    assert "Scheduled for" in the(soup(ada.get(f"/runs/{run_id}")), ".run-full__facts").text
    fragment = soup(ada.post("/tasks/reverse_text", {"text": "abc", **at}, HX_Request="true"))
    assert said in the(fragment, ".run").text
    assert ada.post(f"/runs/{run_id}/cancel").status_code == 303
    assert "Cancelled before it started" in ada.get(f"/runs/{run_id}").text


def test_what_is_no_time_to_start_at_is_refused_and_kept(ada: Visitor) -> None:
    spring = f"{YEAR}-03-{31 - (datetime(YEAR, 3, 31, tzinfo=UTC).weekday() + 1) % 7:02}T02:30"
    for text, words in (
        (spring, "That time doesn't exist: clocks go forward then. Enter an earlier or later one."),
        (f"{YEAR + 2}-01-01T00:00", "Choose a time within a year."),
        ("9999-12-31T23:59", "Choose a time within a year."),
        ("soon", "Enter a date and a time, such as 2026-01-31 14:30."),
    ):
        given = {"text": "abc", "_due_at": text, "_zone": "Europe/Berlin"}
        for headers in ({}, {"HX_Request": "true"}):
            response = ada.post("/tasks/reverse_text", given, **headers)
            assert response.status_code == 422
            page = soup(response)
            assert the(page, "#when-error").text == words
            assert the(page, "#when-time")["value"] == text
            assert "open" in the(page, "#task-when").attrs
            assert the(page, "[name=text]").text.strip() == "abc"
    assert not soup(ada.get("/runs")).select(".run")


def test_a_time_that_has_passed_means_now_and_that_is_said(ada: Visitor, backend: Backend) -> None:
    given = {"text": "abc", "_due_at": "2020-01-01T00:00"}
    fragment = soup(ada.post("/tasks/reverse_text", given, HX_Request="true"))
    assert "has passed, so the run was started at once" in the(fragment, "#task-when").text
    run_id = ada.submit("reverse_text", **given)
    assert run_of(backend, run_id).due_at is None
    assert "which had passed: started at once" in ada.get(f"/runs/{run_id}").text
