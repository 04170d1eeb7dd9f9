"""Pausing from the administration pages: what users read of it, and what the form refuses."""

from jobs.runs.backend import Backend
from tests.support.people import owner_id
from tests.support.program import Program
from tests.support.visitor import Visitor, soup, the

SENTENCE = "This task is paused by boss@example.com because the printer is out of paper."


def test_a_user_reads_who_paused_the_task_and_why_and_can_still_submit(boss: Visitor, ada: Visitor) -> None:
    form = {"what": "task:reverse_text", "reason": " the printer\r\nis out of paper"}
    assert boss.post("/admin/pauses/", form).status_code == 303
    run_id = ada.submit("reverse_text", text="abc")
    assert SENTENCE in ada.get(f"/runs/{run_id}").text
    assert SENTENCE in ada.post("/tasks/reverse_text", {"text": "abc"}, HX_Request="true").text
    program = Program.signed_in(ada.client.application, ada.email)
    assert program.get(f"/runs/{run_id}").get_json()["wait"]["sentence"] == SENTENCE
    assert program.post("/tasks/reverse_text/runs", {"text": "abc"}).get_json()["wait"]["sentence"] == SENTENCE
    page = soup(boss.get("/admin/pauses/"))
    assert "because the printer is out of paper" in the(page, ".accounts").text
    button = the(page, ".accounts button")
    assert boss.post("/admin/pauses/resume", {"kind": "task", "name": button["value"]}).status_code == 303
    assert "Nothing is paused" in boss.get("/admin/pauses/").text
    assert "paused" not in ada.get(f"/runs/{run_id}").text
    assert program.get(f"/runs/{run_id}").get_json()["wait"]["code"] == "no_worker"


def test_a_user_and_everything_are_paused_without_a_reason(boss: Visitor, ada: Visitor, backend: Backend) -> None:
    run_id = ada.submit("reverse_text", text="abc")
    boss.post("/admin/pauses/", {"what": "user", "email": f" {ada.email.upper()} "})
    assert "Your runs are paused by boss@example.com." in ada.get(f"/runs/{run_id}").text
    assert f"User {ada.email}" in boss.get("/admin/pauses/").text
    boss.post("/admin/pauses/", {"what": "everything"})
    assert "Everything is paused by boss@example.com." in ada.get(f"/runs/{run_id}").text
    boss.post("/admin/pauses/resume", {"kind": "everything", "name": ""})
    boss.post("/admin/pauses/resume", {"kind": "user", "name": str(owner_id(backend, ada.email))})
    assert "Nothing is paused" in boss.get("/admin/pauses/").text


def test_the_form_refuses_what_cannot_be_paused(boss: Visitor) -> None:
    cases: tuple[tuple[dict[str, str], int, str], ...] = (
        ({"what": "user", "email": "nobody@example.com"}, 422, "No user has this address."),
        ({"what": "everything", "reason": "x" * 301}, 422, "A reason has at most 300 characters."),
        ({"what": "task:none"}, 404, "This can&#39;t be paused."),
        ({"what": "worker:here"}, 404, "This can&#39;t be paused."),
        ({}, 404, "This can&#39;t be paused."),
    )
    for form, status, words in cases:
        response = boss.post("/admin/pauses/", form)
        assert (response.status_code, words in response.text) == (status, True), form
    assert boss.post("/admin/pauses/resume", {"kind": "nothing"}).status_code == 404
    assert "Nothing is paused" in boss.get("/admin/pauses/").text
