"""Programs that start runs later."""

from datetime import datetime, timedelta, timezone
from urllib.parse import quote

import pytest

from jobs.storage.database import utcnow
from tests.support.program import Program

EAST = timezone(timedelta(hours=5, minutes=30))


def test_a_run_is_scheduled_by_the_query_string(program: Program) -> None:
    at = (utcnow() + timedelta(hours=3)).astimezone(EAST).replace(microsecond=0)
    for text in (quote(at.isoformat()), at.isoformat(), at.astimezone(None).isoformat().replace("T", "t")):
        answer = program.post(f"/tasks/reverse_text/runs?due_at={text}", {"text": "abc"})
        assert answer.status_code == 201, answer.text
        run = answer.get_json()
        assert datetime.fromisoformat(run["due_at"]) == datetime.fromisoformat(run["scheduled_for"]) == at
        assert (run["wait"]["code"], run["wait"]["at"]) == ("scheduled", run["due_at"])
    assert program.post(f"/runs/{run['id']}/cancel").get_json()["state"] == "cancelled"


def test_a_time_that_has_passed_means_now(program: Program) -> None:
    run = program.post("/tasks/reverse_text/runs?due_at=2020-01-01T00:00:00Z", {"text": "abc"}).get_json()
    assert (run["due_at"], run["scheduled_for"]) == (None, "2020-01-01T00:00:00+00:00")


@pytest.mark.parametrize(
    "text",
    [
        *("", "now", "2030-01-01", "2030-01-01T00:00:00", "2030-02-30T00:00:00Z", "2030-W01-1T00:00:00Z"),
        *(
            "9999-12-31T23:59:59-23:00",
            "0001-01-01T00:00:00%2B23:00",
            "2500-01-01T00:00:00Z",
            "2030-01-01T00:00:00%2B99:00",
        ),
    ],
)
def test_another_time_is_refused(program: Program, text: str) -> None:
    answer = program.post(f"/tasks/reverse_text/runs?due_at={text}", {"text": "abc"})
    assert answer.status_code == 400
    assert answer.get_json()["detail"].startswith("due_at: Use a time with")
    far = program.post("/tasks/reverse_text/runs?due_at=2500-01-01T00:00:00Z", {"text": "abc"})
    assert (far.status_code, far.get_json()["detail"]) == (400, "due_at: Use a time within a year.")
    assert program.get("/runs").get_json()["runs"] == []


def test_a_key_covers_the_time(program: Program) -> None:
    at = quote((utcnow() + timedelta(hours=3)).isoformat())

    def post(query: str) -> tuple[int, str]:
        answer = program.post(f"/tasks/reverse_text/runs{query}", {"text": "abc"}, Idempotency_Key="one")
        return answer.status_code, answer.get_json().get("detail", "")

    assert [post(f"?due_at={at}")[0] for _each in range(2)] == [201, 200]
    assert post("") == (
        422,
        "This Idempotency-Key was used for another submission. Use a new key for each submission. "
        "The key was used with another due_at or after.",
    )


def test_a_run_follows_another_one(program: Program, other: Program) -> None:
    first = program.submit("reverse_text", text="abc")
    answer = program.post(f"/tasks/reverse_text/runs?after={first['id']}&into=text", {})
    assert answer.status_code == 201, answer.text
    run = answer.get_json()
    assert (run["after"], run["due_at"], run["parameters"]) == (first["id"], None, {})
    assert run["wait"] == {"code": "after", "run": first["id"], "sentence": f"Waits for run {first['id']}"}
    for query, body, status in (
        (f"after={first['id']}&into=text", {"text": "abc"}, 422),
        (f"after={first['id']}", {}, 422),
        (f"after={first['id']}&into=none", {}, 400),
        ("into=text", {}, 400),
        ("after=0", {}, 400),
        ("after=99", {"text": "abc"}, 404),
    ):
        assert program.post(f"/tasks/reverse_text/runs?{query}", body).status_code == status, query
    assert other.post(f"/tasks/reverse_text/runs?after={first['id']}", {"text": "abc"}).status_code == 404
