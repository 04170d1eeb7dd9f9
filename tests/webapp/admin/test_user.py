"""A user's page: caps, and cancelling all their runs."""

import pyotp
import pytest
from flask import Flask

from jobs.runs import audit
from jobs.runs.backend import Backend
from jobs.runs.run import State
from tests.support.people import owner_id, run_of
from tests.support.program import Program
from tests.support.visitor import PASSWORD, Visitor, soup, the
from webapp.accounts import second_factors, users


@pytest.fixture
def page(ada: Visitor, backend: Backend) -> str:
    """The address of her page."""
    return f"/admin/users/{owner_id(backend, ada.email)}"


def test_caps_are_set_and_hold_over_every_door(boss: Visitor, ada: Visitor, page: str) -> None:
    assert f'{page}"' in boss.get("/admin/users/").text
    assert boss.post(f"{page}/caps", {"runs_a_day": "1", "queued_runs": " "}).status_code == 303
    assert the(soup(boss.get(f"{page}")), "#runs_a_day")["value"] == "1"
    ada.submit("reverse_text", text="abc")
    assert "1 run today (UTC), 15 bytes stored; 1 waiting, 0 running." in boss.get(f"{page}").text
    refused = ada.post("/tasks/reverse_text", {"text": "again"})
    assert (refused.status_code, int(refused.headers["Retry-After"]) > 0) == (429, True)
    assert "You have started 1 run today, as many as allowed." in the(soup(refused), "#task-form").text
    program = Program.signed_in(ada.client.application, ada.email)
    refused = program.post("/tasks/reverse_text/runs", {"text": "again"})
    assert (refused.status_code, int(refused.headers["Retry-After"]) > 0) == (429, True)
    boss.post(f"{page}/caps", {})
    ada.submit("reverse_text", text="abc")


def test_a_cap_that_is_no_number_is_explained_at_its_field_and_kept(boss: Visitor, page: str) -> None:
    for text in ("many", "-1", "1.5", "2147483648", "9" * 30, "٤"):
        response = boss.post(f"{page}/caps", {"queued_runs": "7", "quota_mb": text})
        assert response.status_code == 422, text
        assert "Enter a whole number" in the(soup(response), "#quota_mb-error").text
        assert the(soup(response), "#queued_runs")["value"] == "7"


def test_an_administrator_cancels_all_runs_of_a_user_also_while_disabling_the_account(
    boss: Visitor, ada: Visitor, backend: Backend, page: str
) -> None:
    first = ada.submit("reverse_text", text="abc")
    assert boss.post(f"{page}/cancel").status_code == 303
    second = ada.submit("reverse_text", text="abc")
    boss.post(f"{page}/active", {"active": "no", "cancel": "yes"})
    assert {run_of(backend, run_id).state for run_id in (first, second)} == {State.CANCELLED}
    assert "· disabled" in boss.get(f"{page}").text


def test_who_is_not_there_has_no_page(boss: Visitor) -> None:
    assert boss.get("/admin/users/999").status_code == 404
    assert boss.post("/admin/users/999/caps").status_code == 404
    assert boss.post("/admin/users/999/cancel").status_code == 404


def test_an_administrator_resets_the_two_factor_sign_in_of_somebody_who_has_lost_it(
    app: Flask, boss: Visitor, ada: Visitor, backend: Backend, page: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert "Reset two-factor sign-in" not in boss.get(page).text
    user = users.with_id(backend.database, owner_id(backend, ada.email))
    assert user
    second_factors.begin(backend, user)
    assert second_factors.turn_on(backend, user, pyotp.TOTP(second_factors.pending(backend, user) or "").now())
    form = the(soup(boss.get(page)), "form[action$='/2fa/reset']")
    with caplog.at_level("INFO", "dumbwaiter.security"):
        assert boss.post(str(form["action"])).status_code == 303
    assert "two-factor sign-in reset: ada@example.com by boss@example.com" in caplog.text
    assert ada.get("/").status_code == 302, "logged out"
    assert Visitor(app).post("/login", {"email": ada.email, "password": PASSWORD}).headers["Location"] == "/"
    entries = len(audit.listed(backend.database))
    boss.post(f"{page}/2fa/reset")
    assert len(audit.listed(backend.database)) == entries, "nothing was on"
    assert boss.post(f"/admin/users/{owner_id(backend, boss.email)}/2fa/reset").status_code == 409


def test_an_administrator_changes_the_address_of_a_user(
    app: Flask, boss: Visitor, ada: Visitor, backend: Backend, page: str
) -> None:
    for email, problem in (("nobody", "Enter an e-mail"), (ada.email, "the address already"), (boss.email, "account")):
        refused = boss.post(f"{page}/address", {"email": email})
        assert refused.status_code == 422
        assert problem in the(soup(refused), "#email-error").text
        assert the(soup(refused), "#email")["value"] == email
    assert boss.post(f"{page}/address", {"email": " Ada@Example.org"}).status_code == 303
    assert "ada@example.org" in the(soup(boss.get(page)), "h1").text
    assert Visitor(app).post("/login", {"email": "ada@example.org", "password": PASSWORD}).status_code == 303
    assert boss.post("/admin/users/999/address", {"email": "x@example.org"}).status_code == 404
